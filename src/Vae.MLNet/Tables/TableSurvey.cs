using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Tables;

/// <summary>Decides what the columns of a table are.</summary>
internal static class TableSurvey
{
    /// <summary>More different texts than this share of the rows tell rows apart, or are sentences: nothing is learned from them.</summary>
    private const double IdentifierShare = 0.5;

    private const int LeastIdentifiers = 50;

    /// <summary>Most different numbers of a category.</summary>
    private const int MostNumbers = 200;

    /// <summary>Columns that a model can take, and why the others are left out.</summary>
    public static (List<string> Taken, Dictionary<string, string> LeftOut) Choose(DataViewSchema schema, TableVaeTrainer.Options options)
    {
        var taken = new List<string>();
        var leftOut = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string name in options.Ignore.Concat(options.Columns.Keys))
        {
            if (schema.GetColumnOrNull(name) is null)
                throw Check.Argument("options", $"There is no column '{name}' to {(options.Ignore.Contains(name) ? "ignore" : "set the kind of")}; the data has {string.Join(", ", schema.Where(column => !column.IsHidden).Select(column => column.Name))}.");
        }
        foreach (var column in schema.Where(column => !column.IsHidden))
        {
            if (options.Ignore.Contains(column.Name) || options.Columns.TryGetValue(column.Name, out var kind) && kind == ColumnKind.Ignored)
                leftOut[column.Name] = "as asked";
            else if (column.Type is KeyDataViewType)
                leftOut[column.Name] = "a key: MapKeyToValue makes a text of it";
            else if (column.Type is VectorDataViewType)
                leftOut[column.Name] = "a vector: a table's columns are single values";
            else if (!RawTable.Takes(column.Type))
                leftOut[column.Name] = $"of type {column.Type}: ConvertType makes a Single or a text of it";
            else
                taken.Add(column.Name);
        }
        return (taken, leftOut);
    }

    /// <summary>The codec of a column and what is said of it.</summary>
    public static (ColumnCodec? Codec, TableColumn Column) Look(RawColumn column, ColumnKind? asked, int[] rows)
    {
        string type = RawTable.TypeName(column.Type);
        if (column.Texts is { } texts)
        {
            if (asked is ColumnKind.Number or ColumnKind.Boolean or ColumnKind.Date)
                throw Check.Argument("options", $"Column '{column.Name}' holds text; it cannot be of the kind {asked}. Convert it with ConvertType first.");
            var counts = new int[texts.Count];
            int present = 0;
            foreach (int row in rows)
            {
                if (column.Codes![row] is >= 0 and int code)
                {
                    counts[code]++;
                    present++;
                }
            }
            int distinct = counts.Count(count => count > 0);
            if (asked is null && distinct >= LeastIdentifiers && distinct > IdentifierShare * present)
            {
                return (null, new()
                {
                    Name = column.Name,
                    Kind = ColumnKind.Ignored,
                    Type = type,
                    Reason = Check.Invariant($"{distinct} different texts in {present} rows: identifiers or free text"),
                    MissingShare = 1 - (double)present / rows.Length,
                });
            }
            var codec = ColumnCodec.OfCategory(column, ColumnKind.Category, rows);
            string reason = asked is not null ? "as asked" : Check.Invariant($"{distinct} values{(codec.Pooled.Count > 0 ? Check.Invariant($", of which {codec.Pooled.Count} rare ones share a state") : "")}");
            return (codec, Describe(codec, type, reason, 1 - (double)present / rows.Length));
        }
        if (column.Type is BooleanDataViewType)
        {
            var codec = ColumnCodec.OfCategory(AsTexts(column), ColumnKind.Boolean, rows);
            return (codec, Describe(codec, type, "true or false", 0));
        }
        bool isDate = column.Type is DateTimeDataViewType;
        if (asked is ColumnKind.Boolean || asked is { } other && isDate != (other == ColumnKind.Date))
            throw Check.Argument("options", $"Column '{column.Name}' is of type {type}; it cannot be of the kind {asked}. Convert it with ConvertType first.");
        if (asked == ColumnKind.Category && rows.Select(row => column.Numbers![row]).Where(double.IsFinite).Distinct().Skip(MostNumbers).Any())
        {
            throw Check.Argument("options", Check.Invariant(
                $"Column '{column.Name}' has more than {MostNumbers} different numbers; a {ColumnKind.Category} of so many values has to be text: convert it with ConvertType first."));
        }
        var number = ColumnCodec.OfNumber(column, isDate ? ColumnKind.Date : asked ?? ColumnKind.Number, rows);
        int missing = rows.Count(row => double.IsNaN(column.Numbers![row]));
        string said = number.AllMissing ? "no row has a value"
            : asked == ColumnKind.Category ? Check.Invariant($"{number.Bins} different values, as asked")
            : number.Leaves == 1 && number.Edges.Length + 1 <= number.Bins && IsDiscrete(number) ? Check.Invariant($"{number.Bins} different values")
            : Check.Invariant($"{number.Bins} bins{(number.HasLeaves ? Check.Invariant($" of up to {number.Leaves} parts") : "")}{(number.Repeats ? ", values that come again" : "")}");
        return (number, Describe(number, type, said, (double)missing / rows.Length));
    }

    private static bool IsDiscrete(ColumnCodec codec) => codec.Quantiles.Chunk(ColumnCodec.Knots + 1).All(knots => knots[0] == knots[^1]);

    /// <summary>A boolean column as texts.</summary>
    public static RawColumn AsTexts(RawColumn column) =>
        RawColumn.OfTexts(column.Name, column.Type, [.. column.Numbers!.Select(value => value != 0 ? 1 : 0)], ["False", "True"]);

    private static TableColumn Describe(ColumnCodec codec, string type, string reason, double missing) => new()
    {
        Name = codec.Name,
        Kind = codec.Kind,
        Type = type,
        Reason = reason,
        States = codec.States,
        Values = codec.Values,
        PooledValues = codec.Pooled.Count,
        MissingShare = missing,
        Minimum = codec.IsNumber && !codec.AllMissing && codec.Kind != ColumnKind.Date ? codec.Minimum : double.NaN,
        Maximum = codec.IsNumber && !codec.AllMissing && codec.Kind != ColumnKind.Date ? codec.Maximum : double.NaN,
        Earliest = codec.Kind == ColumnKind.Date && !codec.AllMissing ? RawColumn.ToDate(codec.Minimum) : null,
        Latest = codec.Kind == ColumnKind.Date && !codec.AllMissing ? RawColumn.ToDate(codec.Maximum) : null,
        Decimals = codec.Decimals,
    };

    /// <summary>States of all tokens of the rows, and 1 where a token says something.</summary>
    public static (byte[] Tokens, byte[] Counts) Encode(IReadOnlyList<RawColumn> columns, IReadOnlyList<ColumnCodec> codecs, int rows)
    {
        int width = codecs.Sum(codec => codec.HasLeaves ? 2 : 1);
        var tokens = new byte[(long)rows * width];
        var counts = new byte[(long)rows * width];
        int at = 0;
        for (int c = 0; c < codecs.Count; c++)
        {
            var codec = codecs[c];
            var column = columns[c].Texts is null && !codec.IsNumber ? AsTexts(columns[c]) : columns[c];
            int[]? states = column.Texts is { } texts ? StatesOf(codec, texts) : null;
            for (int row = 0; row < rows; row++)
            {
                long place = (long)row * width + at;
                if (states is not null)
                {
                    tokens[place] = (byte)(column.Codes![row] is >= 0 and int code ? states[code] : codec.MissingState);
                    counts[place] = 1;
                    continue;
                }
                var (first, second) = codec.Encode(column.Numbers![row]);
                tokens[place] = (byte)first;
                counts[place] = 1;
                if (codec.HasLeaves)
                {
                    tokens[place + 1] = (byte)second;
                    counts[place + 1] = (byte)(first < codec.Bins && codec.LeafCounts[first] > 1 ? 1 : 0);
                }
            }
            at += codec.HasLeaves ? 2 : 1;
        }
        return (tokens, counts);
    }

    private static int[] StatesOf(ColumnCodec codec, IReadOnlyList<string> texts)
    {
        var places = codec.Values.Select((value, place) => (value, place)).ToDictionary(pair => pair.value, pair => pair.place, StringComparer.Ordinal);
        return [.. texts.Select(text => places.TryGetValue(text, out int place) ? place : codec.Values.Count)];
    }
}
