using Microsoft.ML;
using Microsoft.ML.Data;

namespace Vae.MLNet.Conformations;

/// <summary>How a row of numbers is read as beads: bead by bead, coordinate by coordinate, with masses where they differ.</summary>
internal sealed class BeadLayout
{
    public BeadLayout(int beads, int dimensions, double[]? masses = null)
    {
        Beads = beads;
        Dimensions = dimensions;
        Masses = masses;
        TotalMass = masses?.Sum() ?? beads;
        IndexWeights = [.. Enumerable.Range(0, beads).Select(i => i - (beads - 1) / 2.0)];
        SquaredIndexWeights = IndexWeights.Sum(weight => weight * weight);
    }

    public int Beads { get; }

    public int Dimensions { get; }

    public int Size => Beads * Dimensions;

    /// <summary>Null where all masses are equal: then the mean of equal coordinates is exact.</summary>
    public double[]? Masses { get; }

    public double TotalMass { get; }

    /// <summary>i - (n - 1) / 2: a direction along the chain, used where moments do not tell one.</summary>
    public double[] IndexWeights { get; }

    public double SquaredIndexWeights { get; }

    public double Mass(int bead) => Masses is { } masses ? masses[bead] : 1;

    /// <summary>Checks the masses and gives them in double precision; null for equal ones.</summary>
    public static double[]? CheckMasses(IReadOnlyList<float>? masses, string name)
    {
        if (masses is null)
            return null;
        for (int i = 0; i < masses.Count; i++)
        {
            if (!(masses[i] > 0) || !float.IsFinite(masses[i]))
                throw Check.OutOfRange(name, masses[i], Check.Invariant($"positive and finite for every bead (bead {i})"));
        }
        return [.. masses.Select(mass => (double)mass)];
    }

    /// <summary>Reads the layout off a column: Vector&lt;Single, beads, dimensions&gt; or flat.</summary>
    public static BeadLayout FromSchema(DataViewSchema schema, string column, int dimensions, double[]? masses, string parameter)
    {
        var (index, size) = Check.FloatVector(schema, column, parameter);
        var type = (VectorDataViewType)schema[index].Type;
        // [beads, dimensions]; a leading 1 is how ONNX transforms type a flat row.
        bool otherShape = type.Dimensions.Length > 1 && type.Dimensions[0] != 1 && type.Dimensions[^1] != dimensions;
        if (otherShape || size % dimensions != 0)
        {
            throw Check.SchemaMismatch(parameter, column,
                Check.Invariant($"Vector<Single, beads, {dimensions}> or a flat vector whose size is a multiple of dimensions = {dimensions}"), Check.TypeName(type));
        }
        if (masses is not null && masses.Length * dimensions != size)
        {
            throw Check.SchemaMismatch(parameter, column,
                Check.Invariant($"Vector<Single, {masses.Length * dimensions}> ({masses.Length} masses in {dimensions} dimensions)"), Check.TypeName(type));
        }
        return new(size / dimensions, dimensions, masses);
    }
}
