using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet.Scoring;

namespace Vae.MLNet.Conformations;

/// <summary>
/// Where internal coordinates stand in a row: bonds, then bends (in space), then the periodic angles, or their sines and then their
/// cosines. Each group is in the order of the chain.
/// </summary>
internal sealed class InternalLayout
{
    /// <summary>Beads of the shortest chain that has an angle.</summary>
    public const int FewestBeads = 3;

    public InternalLayout(int beads, int dimensions, bool pairs)
    {
        Beads = beads;
        Dimensions = dimensions;
        Pairs = pairs;
    }

    public int Beads { get; }

    public int Dimensions { get; }

    /// <summary>Whether a periodic angle is its sine and its cosine.</summary>
    public bool Pairs { get; }

    public int Bonds => Beads - 1;

    /// <summary>Beads between two bonds.</summary>
    public int Joints => Beads - 2;

    /// <summary>Angles that are not periodic: none in the plane.</summary>
    public int Bends => Dimensions == 2 ? 0 : Joints;

    /// <summary>Turning angles in the plane, torsions in space.</summary>
    public int Turns => Dimensions == 2 ? Joints : Joints - 1;

    /// <summary>Where the turns begin.</summary>
    public int FirstTurn => Bonds + Bends;

    /// <summary>Numbers of a row.</summary>
    public int Size => FirstTurn + (Pairs ? 2 : 1) * Turns;

    /// <summary>Beads are counted from 1.</summary>
    public string[] Names()
    {
        string kind = Dimensions == 2 ? "angle" : "torsion";
        int width = Dimensions == 2 ? 3 : 4;
        var turns = Enumerable.Range(1, Turns).Select(first => kind + " " + Range(first, width)).ToArray();
        return
        [
            .. Enumerable.Range(1, Bonds).Select(first => "bond " + Range(first, 2)),
            .. Enumerable.Range(1, Bends).Select(first => "angle " + Range(first, 3)),
            .. Pairs ? turns.Select(name => "sin " + name).Concat(turns.Select(name => "cos " + name)) : turns,
        ];

        static string Range(int first, int count) =>
            string.Join('-', Enumerable.Range(first, count).Select(bead => Check.Invariant($"{bead}")));
    }

    /// <summary>The chain whose internal coordinates are so many numbers; null where there is none.</summary>
    public static InternalLayout? OfSize(int size, int dimensions, bool pairs)
    {
        // The number of coordinates grows by the same step with every bead.
        int least = new InternalLayout(FewestBeads, dimensions, pairs).Size;
        int step = new InternalLayout(FewestBeads + 1, dimensions, pairs).Size - least;
        return size >= least && (size - least) % step == 0 ? new(FewestBeads + (size - least) / step, dimensions, pairs) : null;
    }

    /// <summary>What is expected of a number of internal coordinates, in words.</summary>
    public static string Expected(int dimensions, bool pairs)
    {
        string how = dimensions == 2
            ? pairs ? "n - 1 bonds, n - 2 sines and n - 2 cosines of angles" : "n - 1 bonds and n - 2 angles"
            : pairs ? "n - 1 bonds, n - 2 angles, n - 3 sines and n - 3 cosines of torsions"
            : "n - 1 bonds, n - 2 angles and n - 3 torsions";
        return Check.Invariant($"{how} of a chain of n beads, at least {FewestBeads}, in {dimensions} dimensions");
    }

    /// <summary>Reads the layout off a column of internal coordinates.</summary>
    public static InternalLayout FromSchema(DataViewSchema schema, string column, int dimensions, bool pairs, string parameter)
    {
        var (index, size) = Check.FloatVector(schema, column, parameter);
        var layout = OfSize(size, dimensions, pairs)
            ?? throw Check.SchemaMismatch(parameter, column, Expected(dimensions, pairs), Check.TypeName(schema[index].Type));
        layout.RequireNames(schema[index], parameter);
        return layout;
    }

    /// <summary>Slots that have names have to be the coordinates that are read there: angles taken for bonds give a chain too.</summary>
    public void RequireNames(DataViewSchema.Column column, string parameter)
    {
        if (ColumnSlots.Names(column) is not { } found)
            return;
        string[] names = Names();
        for (int i = 0; i < names.Length; i++)
        {
            if (found[i].Length > 0 && found[i] != names[i])
            {
                string expected = Check.Invariant($"'{names[i]}' in slot {i} ({Expected(Dimensions, Pairs)})");
                throw Check.SchemaMismatch(parameter, column.Name, expected, $"'{found[i]}'");
            }
        }
    }
}
