using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Pipelines;

/// <summary>What chains of transforms keep to themselves, found through their public members.</summary>
internal static class Chains
{
    private static readonly TransformerScope[] Flags = [TransformerScope.Training, TransformerScope.Testing, TransformerScope.Scoring];

    /// <summary>The transform as a chain of whatever its last transform is; null where it is no chain.</summary>
    public static TransformerChain<ITransformer>? AsChain(ITransformer transformer)
    {
        if (transformer is TransformerChain<ITransformer> chain)
            return chain;
        var type = transformer.GetType();
        if (!type.IsGenericType || type.GetGenericTypeDefinition() != typeof(TransformerChain<>))
            return null;
        // GetModelFor is public on every TransformerChain<T>, but T is known only at run time.
        return (TransformerChain<ITransformer>)type.GetMethod(nameof(TransformerChain<ITransformer>.GetModelFor))!.Invoke(transformer, [TransformerScope.Everything])!;
    }

    /// <summary>The transforms of a chain with the scopes they were appended with.</summary>
    public static IReadOnlyList<(ITransformer Transformer, TransformerScope Scope)> Items(TransformerChain<ITransformer> chain)
    {
        var filtered = Flags.Select(flag => chain.GetModelFor(flag).ToArray()).ToArray();
        var next = new int[Flags.Length];
        var items = new List<(ITransformer, TransformerScope)>();
        foreach (var transformer in chain)
        {
            var scope = TransformerScope.None;
            for (int i = 0; i < Flags.Length; i++)
            {
                if (next[i] < filtered[i].Length && ReferenceEquals(filtered[i][next[i]], transformer))
                {
                    scope |= Flags[i];
                    next[i]++;
                }
            }
            items.Add((transformer, scope));
        }
        return items;
    }
}
