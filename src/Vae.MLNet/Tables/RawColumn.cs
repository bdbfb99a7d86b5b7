using Microsoft.ML.Data;

namespace Vae.MLNet.Tables;

/// <summary>A column in memory: numbers, or texts of which each is held once.</summary>
internal sealed class RawColumn
{
    private RawColumn(string name, DataViewType type, double[]? numbers, int[]? codes, IReadOnlyList<string>? texts)
    {
        Name = name;
        Type = type;
        Numbers = numbers;
        Codes = codes;
        Texts = texts;
    }

    public string Name { get; }

    /// <summary>The type it has in a view.</summary>
    public DataViewType Type { get; }

    /// <summary>The values; NaN where missing. Dates are ticks, of which double precision holds every 128th. Null for texts.</summary>
    public double[]? Numbers { get; }

    /// <summary>Places in <see cref="Texts"/>; -1 where missing. Null for numbers.</summary>
    public int[]? Codes { get; }

    public IReadOnlyList<string>? Texts { get; }

    public int Rows => Numbers?.Length ?? Codes!.Length;

    public static RawColumn OfNumbers(string name, DataViewType type, double[] numbers) => new(name, type, numbers, null, null);

    public static RawColumn OfTexts(string name, DataViewType type, int[] codes, IReadOnlyList<string> texts) => new(name, type, null, codes, texts);

    /// <summary>Puts a cell of another column of the same type and the same texts in the place of one of this.</summary>
    public void Set(int row, RawColumn other, int otherRow)
    {
        if (Numbers is not null)
            Numbers[row] = other.Numbers![otherRow];
        else
            Codes![row] = other.Codes![otherRow];
    }

    /// <summary>A date as a number. ML.NET knows no missing date; its least one stands for it here.</summary>
    public static double OfDate(DateTime date) => date.Ticks == 0 ? double.NaN : date.Ticks;

    /// <summary>The date that a number stands for.</summary>
    public static DateTime ToDate(double ticks) => double.IsNaN(ticks) ? default : new((long)Math.Clamp(ticks, 0, DateTime.MaxValue.Ticks - 128));

    /// <summary>The same column with other rows.</summary>
    public RawColumn Select(IReadOnlyList<int> rows) => Numbers is { } numbers
        ? OfNumbers(Name, Type, [.. rows.Select(row => numbers[row])])
        : OfTexts(Name, Type, [.. rows.Select(row => Codes![row])], Texts!);
}
