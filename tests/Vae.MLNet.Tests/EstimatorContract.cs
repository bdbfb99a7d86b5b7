using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Tests;

/// <summary>
/// What every estimator of the library has to stand: schema before and after, wrong input, batched and single rows, several cursors, sparse rows, empty data,
/// one row, NaN in one row, a long lazy source, saving, and loading in a fresh context with the same numbers.
/// </summary>
internal static class EstimatorContract
{
    public const string Input = "Input";

    /// <param name="create">Makes the estimator, which reads the column <see cref="Input"/>.</param>
    /// <param name="rows">Rows of the input column.</param>
    /// <param name="tolerance">Largest difference, relative to the largest value of the row, between batched, single and loaded scoring.</param>
    /// <param name="needsRows">Whether fitting asks for rows.</param>
    /// <param name="takesMissing">Whether NaN is an ordinary input, for which finite numbers come out.</param>
    public static void Run(Func<MLContext, IEstimator<ITransformer>> create, float[][] rows, double tolerance = 1e-5, bool needsRows = true, bool takesMissing = false)
    {
        var context = new MLContext(seed: 1);
        var data = Load(context, rows);
        var estimator = create(context);

        WrongInput(context, estimator, rows[0].Length);
        if (needsRows)
            Assert.Contains("no rows", Assert.ThrowsExactly<InvalidOperationException>(() => estimator.Fit(Load(context, [], rows[0].Length))).Message);

        var promised = estimator.GetOutputSchema(SchemaShape(data));
        var model = estimator.Fit(data);
        using var disposable = model as IDisposable;
        var transformed = model.Transform(data);
        AssertKeepsPromise(promised, transformed.Schema);
        var expected = ReadAll(transformed);
        Assert.HasCount(rows.Length, expected);

        AssertSame(expected, ReadAll(transformed), 0, "a second pass");
        AssertSame(expected, ReadSet(transformed, 3), 0, "a set of cursors");
        AssertSame(expected, ReadMapped(model, data), tolerance, "the row mapper");
        AssertSame(expected, ReadAll(model.Transform(LoadSparse(context, rows))), 0, "sparse rows");
        Assert.IsEmpty(ReadAll(model.Transform(Load(context, [], rows[0].Length))), "Empty data gives no rows.");
        AssertSame(expected[..1], ReadAll(model.Transform(Load(context, rows[..1]))), tolerance, "a single row");
        PassesOtherColumns(context, model, rows);
        OneBadRow(context, model, rows, expected, tolerance, takesMissing);
        LongSource(context, model, rows, expected, tolerance);
        Misuse(transformed);

        using var stream = new MemoryStream();
        context.Model.Save(model, data.Schema, stream);
        stream.Position = 0;
        var fresh = new MLContext();
        var loaded = fresh.Model.Load(stream, out var schema);
        Assert.AreEqual(data.Schema[Input].Type, schema[Input].Type);
        var reloaded = loaded.Transform(Load(fresh, rows));
        AssertSameSchema(transformed.Schema, reloaded.Schema);
        AssertSame(expected, ReadAll(reloaded), tolerance, "the loaded model");
        AssertSame(expected[..3], ReadMapped(loaded, Load(fresh, rows[..3])), tolerance, "the loaded model's row mapper");
    }

    public static IDataView Load(MLContext context, float[][] rows, int? size = null) => context.Data.LoadFromEnumerable(rows.Select(row => new Row { Values = row }), Definition(size ?? rows[0].Length));

    private static SchemaDefinition Definition(int size)
    {
        var definition = SchemaDefinition.Create(typeof(Row));
        definition[0].ColumnName = Input;
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, size);
        return definition;
    }

    private static IDataView LoadSparse(MLContext context, float[][] rows)
    {
        var definition = SchemaDefinition.Create(typeof(SparseRow));
        definition[0].ColumnName = Input;
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, rows[0].Length);
        return context.Data.LoadFromEnumerable(rows.Select(row => new SparseRow
        {
            Values = new VBuffer<float>(row.Length, NonZero(row).Count(), [.. NonZero(row).Select(i => row[i])], [.. NonZero(row)]),
        }), definition);

        static IEnumerable<int> NonZero(float[] row) => Enumerable.Range(0, row.Length).Where(i => row[i] != 0);
    }

    private static SchemaShape SchemaShape(IDataView data)
    {
        var definition = SchemaDefinition.Create(typeof(Row));
        definition[0].ColumnName = Input;
        definition[0].ColumnType = data.Schema[Input].Type;
        return new MLContext().Transforms.CustomMapping<Nothing, Row>((_, _) => { }, null, null, definition).GetOutputSchema(new SchemaShape([]));
    }

    private static void WrongInput(MLContext context, IEstimator<ITransformer> estimator, int size)
    {
        void Refused(IDataView data, params string[] words)
        {
            var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => estimator.Fit(data));
            foreach (string word in words.Append(Input))
                Assert.Contains(word, error.Message);
        }
        Refused(context.Data.LoadFromEnumerable([new { Other = 1f }]), "no such column");
        Refused(context.Data.LoadFromEnumerable([new { Input = "text" }]), "Text");
        Refused(context.Data.LoadFromEnumerable([new { Input = 1f }]), "Single");
        Refused(context.Data.LoadFromEnumerable([new { Input = new float[size] }]), "unknown size");
        Refused(Typed(new double[size], NumberDataViewType.Double), "Double");
        Refused(context.Transforms.Conversion.MapValueToKey(Input).Fit(Texts()).Transform(Texts()), "Key");

        IDataView Texts() => context.Data.LoadFromEnumerable([new { Input = "a" }, new { Input = "b" }]);

        IDataView Typed(double[] values, PrimitiveDataViewType type)
        {
            var definition = SchemaDefinition.Create(typeof(DoubleRow));
            definition[0].ColumnName = Input;
            definition[0].ColumnType = new VectorDataViewType(type, size);
            return context.Data.LoadFromEnumerable([new DoubleRow { Values = values }], definition);
        }
    }

    private static void PassesOtherColumns(MLContext context, ITransformer model, float[][] rows)
    {
        var definition = SchemaDefinition.Create(typeof(NamedRow));
        definition[nameof(NamedRow.Values)].ColumnName = Input;
        definition[0].ColumnType = new VectorDataViewType(NumberDataViewType.Single, rows[0].Length);
        var data = context.Data.LoadFromEnumerable(rows.Select((row, i) => new NamedRow { Values = row, Name = $"row {i}", Tags = [$"tag {i}", "x"], Number = i }), definition);
        var view = model.Transform(data);
        int row = 0;
        using var cursor = view.GetRowCursor(view.Schema);
        var name = cursor.GetGetter<ReadOnlyMemory<char>>(view.Schema["Name"]);
        var tags = cursor.GetGetter<VBuffer<ReadOnlyMemory<char>>>(view.Schema["Tags"]);
        var number = cursor.GetGetter<double>(view.Schema["Number"]);
        var id = cursor.GetIdGetter();
        var ids = new HashSet<DataViewRowId>();
        while (cursor.MoveNext())
        {
            ReadOnlyMemory<char> text = default;
            VBuffer<ReadOnlyMemory<char>> words = default;
            double value = 0;
            DataViewRowId rowId = default;
            name(ref text);
            tags(ref words);
            number(ref value);
            id(ref rowId);
            Assert.AreEqual($"row {row}", text.ToString());
            Assert.AreEqual($"tag {row}", words.GetItemOrDefault(0).ToString());
            Assert.AreEqual(row, value);
            Assert.AreEqual(row, cursor.Position);
            Assert.IsTrue(ids.Add(rowId), "Row ids are unique.");
            row++;
        }
        Assert.AreEqual(rows.Length, row);
    }

    /// <summary>NaN, where it is not legal, and infinity in one row make NaN of its outputs at most, and leave the other rows as they are.</summary>
    private static void OneBadRow(MLContext context, ITransformer model, float[][] rows, float[][] expected, double tolerance, bool takesMissing)
    {
        foreach (float bad in new[] { float.NaN, float.PositiveInfinity })
        {
            float[][] broken = [.. rows.Select(row => row.ToArray())];
            broken[1][0] = bad;
            var results = ReadAll(model.Transform(Load(context, broken)));
            if (takesMissing && float.IsNaN(bad))
                Assert.IsTrue(results[1].All(float.IsFinite), "A missing value is no error.");
            else
                Assert.IsTrue(results[1].Any(value => !float.IsFinite(value)), $"A row with {bad} has to show it.");
            AssertSame([expected[0], .. expected[2..]], [results[0], .. results[2..]], tolerance, $"rows beside one with {bad}");
        }
    }

    private static void LongSource(MLContext context, ITransformer model, float[][] rows, float[][] expected, double tolerance)
    {
        const int Long = 20_001;
        var data = context.Data.LoadFromEnumerable(Enumerable.Range(0, Long).Select(i => new Row { Values = rows[i % rows.Length] }), Definition(rows[0].Length));
        var results = ReadAll(model.Transform(data));
        Assert.HasCount(Long, results);
        AssertSame([expected[0], expected[255 % rows.Length], expected[256 % rows.Length], expected[(Long - 1) % rows.Length]],
            [results[0], results[255], results[256], results[Long - 1]], tolerance, "a long lazy source");
    }

    private static void Misuse(IDataView view)
    {
        int last = view.Schema.Count - 1;
        using var cursor = view.GetRowCursor([view.Schema[last]]);
        Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<Guid>(view.Schema[last]));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => cursor.GetGetter<VBuffer<float>>(view.Schema[Input]));
        Assert.IsTrue(cursor.IsColumnActive(view.Schema[last]));
        Assert.IsFalse(cursor.IsColumnActive(view.Schema[Input]));
    }

    private static void AssertKeepsPromise(SchemaShape promised, DataViewSchema schema)
    {
        foreach (var column in promised)
        {
            var found = schema[column.Name];
            Assert.AreEqual(column.Kind == Microsoft.ML.SchemaShape.Column.VectorKind.Scalar, found.Type is not VectorDataViewType, column.Name);
            Assert.AreEqual(column.ItemType, found.Type is VectorDataViewType vector ? vector.ItemType : found.Type, column.Name);
            foreach (var annotation in column.Annotations)
                Assert.IsNotNull(found.Annotations.Schema.GetColumnOrNull(annotation.Name), $"{column.Name} promises {annotation.Name}.");
        }
        Assert.AreSequenceEqual(schema.Select(column => column.Name).Order().ToArray(), promised.Select(column => column.Name).Order().ToArray());
    }

    private static void AssertSameSchema(DataViewSchema expected, DataViewSchema found)
    {
        static string Describe(DataViewSchema schema) => string.Join("; ", schema.Where(column => !column.IsHidden).Select(column =>
            $"{column.Name}: {column.Type}{(column.HasSlotNames() ? " " + string.Join(",", SlotNames(column)) : "")}"));
        Assert.AreEqual(Describe(expected), Describe(found));

        static IEnumerable<string> SlotNames(DataViewSchema.Column column)
        {
            VBuffer<ReadOnlyMemory<char>> names = default;
            column.GetSlotNames(ref names);
            return names.DenseValues().Select(name => name.ToString());
        }
    }

    public static void AssertSame(IReadOnlyList<float[]> expected, IReadOnlyList<float[]> found, double tolerance, string where)
    {
        Assert.HasCount(expected.Count, found, where);
        for (int i = 0; i < expected.Count; i++)
        {
            Assert.HasCount(expected[i].Length, found[i], where);
            double scale = Math.Max(1e-3, expected[i].Max(MathF.Abs));
            for (int j = 0; j < expected[i].Length; j++)
            {
                if (expected[i][j].Equals(found[i][j]))
                    continue;
                Assert.IsTrue(Math.Abs((double)expected[i][j] - found[i][j]) <= tolerance * scale, $"{where}: row {i}, value {j}: {expected[i][j]} expected, {found[i][j]} found.");
            }
        }
    }

    /// <summary>All produced columns of all rows, one behind the other.</summary>
    public static float[][] ReadAll(IDataView view)
    {
        using var cursor = view.GetRowCursor(Produced(view.Schema));
        return [.. Read(cursor)];
    }

    private static float[][] ReadSet(IDataView view, int count)
    {
        // Cursors of a set share the rows between them; their ids bring them back into order.
        var rows = new List<(DataViewRowId Id, float[] Values)>();
        foreach (var cursor in view.GetRowCursorSet(Produced(view.Schema), count))
        {
            using (cursor)
            {
                var id = cursor.GetIdGetter();
                foreach (float[] values in Read(cursor))
                {
                    DataViewRowId rowId = default;
                    id(ref rowId);
                    rows.Add((rowId, values));
                }
            }
        }
        return [.. rows.OrderBy(row => row.Id.High).ThenBy(row => row.Id.Low).Select(row => row.Values)];
    }

    private static float[][] ReadMapped(ITransformer model, IDataView data)
    {
        var mapper = model.GetRowToRowMapper(data.Schema);
        var produced = Produced(mapper.OutputSchema);
        using var cursor = data.GetRowCursor(mapper.GetDependencies(produced));
        using var row = mapper.GetRow(cursor, produced);
        var getters = Getters(row);
        var rows = new List<float[]>();
        while (cursor.MoveNext())
            rows.Add([.. getters.SelectMany(getter => getter())]);
        return [.. rows];
    }

    private static DataViewSchema.Column[] Produced(DataViewSchema schema) => [.. schema.Where(column => !column.IsHidden && column.Name != Input)];

    private static IEnumerable<float[]> Read(DataViewRowCursor cursor)
    {
        var getters = Getters(cursor);
        while (cursor.MoveNext())
            yield return [.. getters.SelectMany(getter => getter())];
    }

    private static Func<float[]>[] Getters(DataViewRow row) => [.. Produced(row.Schema).Select<DataViewSchema.Column, Func<float[]>>(column =>
    {
        if (column.Type is VectorDataViewType)
        {
            var vector = row.GetGetter<VBuffer<float>>(column);
            return () =>
            {
                VBuffer<float> buffer = default;
                vector(ref buffer);
                return [.. buffer.DenseValues()];
            };
        }
        if (column.Type is BooleanDataViewType)
        {
            var flag = row.GetGetter<bool>(column);
            return () =>
            {
                bool value = false;
                flag(ref value);
                return [value ? 1 : 0];
            };
        }
        var scalar = row.GetGetter<float>(column);
        return () =>
        {
            float value = 0;
            scalar(ref value);
            return [value];
        };
    })];

    private sealed class Nothing;

    private sealed class Row
    {
        public float[] Values { get; set; } = [];
    }

    private sealed class DoubleRow
    {
        public double[] Values { get; set; } = [];
    }

    private sealed class SparseRow
    {
        public VBuffer<float> Values { get; set; }
    }

    private sealed class NamedRow
    {
        public float[] Values { get; set; } = [];

        public string Name { get; set; } = "";

        public string[] Tags { get; set; } = [];

        public double Number { get; set; }
    }
}
