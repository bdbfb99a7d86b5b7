using Microsoft.ML;

namespace PackageConsumer;

/// <summary>The shape of rows, which a chain hands from estimator to estimator before anything is fitted.</summary>
internal static class RowShape
{
    public static SchemaShape Of<TRow>(MLContext ml) where TRow : class, new() =>
        ml.Transforms.CustomMapping<Nothing, TRow>((_, _) => { }, contractName: null).GetOutputSchema(new SchemaShape([]));

    private sealed class Nothing;
}
