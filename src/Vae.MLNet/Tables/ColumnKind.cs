namespace Vae.MLNet;

/// <summary>What a column of a table holds.</summary>
public enum ColumnKind
{
    /// <summary>A number; values that come often are kept as such, the others are told apart by quantile.</summary>
    Number,

    /// <summary>One of a set of values.</summary>
    Category,

    /// <summary>True or false.</summary>
    Boolean,

    /// <summary>A date, with or without a time of day.</summary>
    Date,

    /// <summary>Left out: an identifier, free text, or a column that was asked to be left out.</summary>
    Ignored,
}
