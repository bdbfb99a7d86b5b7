using System.Globalization;
using Microsoft.ML.Data;

namespace Vae.MLNet.Tables;

/// <summary>The cells of a column of a text file, each text held once, and what type holds them.</summary>
internal sealed class CellTexts
{
    /// <summary>What stands for a missing cell.</summary>
    private static readonly string[] MissingMarkers = ["", "NA", "N/A", "NaN", "null", "?"];

    private static readonly string[] Truths = ["True", "False"];

    private static readonly string[] DateFormats =
        [.. ((string[])["yyyy-MM-dd", "yyyy/MM/dd"]).SelectMany(day => ((string[])["", " HH:mm", " HH:mm:ss", " HH:mm:ss.FFFFFFF", "'T'HH:mm", "'T'HH:mm:ss", "'T'HH:mm:ss.FFFFFFF"]).Select(time => day + time))];

    private readonly List<int> _codes = [];
    private readonly List<string> _texts = [];
    private readonly Dictionary<string, int> _places = new(StringComparer.Ordinal);

    /// <summary>A date as files have them: year, month and day, with or without a time of day, of no time zone.</summary>
    public static bool TryDate(string text, out DateTime date) =>
        DateTime.TryParseExact(text, DateFormats, CultureInfo.InvariantCulture, DateTimeStyles.None, out date);

    public void Add(ReadOnlySpan<char> cell)
    {
        var lookup = _places.GetAlternateLookup<ReadOnlySpan<char>>();
        if (!lookup.TryGetValue(cell, out int place))
        {
            place = _texts.Count;
            _texts.Add(cell.ToString());
            _places[_texts[^1]] = place;
        }
        _codes.Add(place);
    }

    /// <summary>The column.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="type">Its type in the words of <see cref="TableColumn.Type"/>; null for the narrowest that holds all cells.</param>
    /// <param name="where">How errors call the cell of a row.</param>
    /// <exception cref="InvalidDataException">A cell is none of the type.</exception>
    public RawColumn Finish(string name, string? type, Func<int, string> where)
    {
        bool[] missing = [.. _texts.Select(IsMissing)];
        return type is null ? Narrowest(name, missing) : OfType(name, type, missing, where);
    }

    private static bool IsMissing(string text) => MissingMarkers.Contains(text, StringComparer.OrdinalIgnoreCase);

    private static bool IsTruth(string text) => Truths.Contains(text, StringComparer.OrdinalIgnoreCase);

    private RawColumn Narrowest(string name, bool[] missing)
    {
        if (_texts.Count > 0 && _texts.All(IsTruth))
            return Numbers(name, BooleanDataViewType.Instance, [.. _texts.Select(text => text.Equals("True", StringComparison.OrdinalIgnoreCase) ? 1.0 : 0)]);
        var numbers = new double[_texts.Count];
        bool all = true, any = false, single = true;
        for (int i = 0; i < numbers.Length && all; i++)
        {
            if (missing[i])
            {
                numbers[i] = double.NaN;
                continue;
            }
            all = double.TryParse(_texts[i], NumberStyles.Float, CultureInfo.InvariantCulture, out numbers[i]);
            any = true;
            single &= float.TryParse(_texts[i], NumberStyles.Float, CultureInfo.InvariantCulture, out float narrow) && SameDigits(narrow, numbers[i]);
        }
        if (all && any)
            return Numbers(name, single ? NumberDataViewType.Single : NumberDataViewType.Double, single ? [.. numbers.Select(number => (double)(float)number)] : numbers);
        if (missing.Contains(false) && Dates(missing) is { } dates)
            return Numbers(name, DateTimeDataViewType.Instance, dates);
        return Texts(name, missing);
    }

    private RawColumn OfType(string name, string type, bool[] missing, Func<int, string> where)
    {
        var found = RawTable.TypeOf(type);
        if (found is TextDataViewType)
            return Texts(name, missing);
        var numbers = new double[_texts.Count];
        for (int i = 0; i < numbers.Length; i++)
        {
            bool gap = missing[i], right = true;
            numbers[i] = double.NaN;
            if (found is BooleanDataViewType)
                (right, numbers[i]) = (IsTruth(_texts[i]), _texts[i].Equals("True", StringComparison.OrdinalIgnoreCase) ? 1 : 0);
            else if (found is DateTimeDataViewType)
                right = gap || TryDate(_texts[i], out var date) && (numbers[i] = RawColumn.OfDate(date)) != 0;
            else if (found == NumberDataViewType.Single || found == NumberDataViewType.Double)
                right = gap || double.TryParse(_texts[i], NumberStyles.Float, CultureInfo.InvariantCulture, out numbers[i]);
            else
                right = double.TryParse(_texts[i], NumberStyles.Float, CultureInfo.InvariantCulture, out numbers[i]) && numbers[i] == Math.Round(numbers[i])
                    && (found == NumberDataViewType.Int64 ? Math.Abs(numbers[i]) < 1L << 53 : Math.Abs(numbers[i]) <= int.MaxValue);
            if (!right)
            {
                string text = gap ? "a missing value" : $"'{(_texts[i].Length <= 40 ? _texts[i] : _texts[i][..40] + "...")}'";
                throw new InvalidDataException($"{where(_codes.IndexOf(i))}: {Word(type)} is expected, as in the rows that the model was trained on; {text} was found.");
            }
            if (found == NumberDataViewType.Single)
                numbers[i] = (float)numbers[i];
        }
        return Numbers(name, found, numbers);

        static string Word(string type) => type switch
        {
            "Boolean" => "True or False",
            "DateTime" => "a date as yyyy-MM-dd, with or without a time HH:mm:ss,",
            "Int32" or "Int64" => "a whole number",
            _ => "a number",
        };
    }

    /// <summary>The texts as dates; null where one is none.</summary>
    private double[]? Dates(bool[] missing)
    {
        var dates = new double[_texts.Count];
        for (int i = 0; i < dates.Length; i++)
        {
            dates[i] = double.NaN;
            if (missing[i])
                continue;
            if (!TryDate(_texts[i], out var date))
                return null;
            dates[i] = RawColumn.OfDate(date);
        }
        return dates;
    }

    private RawColumn Numbers(string name, DataViewType type, double[] values) => RawColumn.OfNumbers(name, type, [.. _codes.Select(code => values[code])]);

    // A question mark among texts may be a text; nothing, NA and its kin are not.
    private RawColumn Texts(string name, bool[] missing) =>
        RawColumn.OfTexts(name, TextDataViewType.Instance, [.. _codes.Select(code => missing[code] && _texts[code] != "?" ? -1 : code)], _texts);

    /// <summary>Whether single precision holds a number as it was written: with no more than seven digits, or exactly.</summary>
    private static bool SameDigits(float narrow, double number) =>
        narrow == number || narrow.ToString("R", CultureInfo.InvariantCulture) == number.ToString("R", CultureInfo.InvariantCulture);
}
