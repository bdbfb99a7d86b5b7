using Microsoft.ML;
using Microsoft.ML.Data;
using Vae.MLNet;

namespace PackageConsumer;

/// <summary>Arrays of Python: written for numpy.load, and read.</summary>
internal static class NumPyFiles
{
    public static void Run(MLContext ml, Chain[] chains, string folder)
    {
        string one = Path.Combine(folder, "beads.npy"), several = Path.Combine(folder, "beads.npz");
        IDataView data = ml.Data.LoadFromEnumerable(chains);
        IDataView rows = ml.Vae.RadiusOfGyration("Rg", "Beads", dimensions: 2).Fit(data).Transform(data);
        ml.Vae.SaveNumPy(rows, one, "Beads");
        ml.Vae.SaveNumPy(rows, several, "Beads", "Rg");

        IDataView beads = ml.Vae.LoadNumPy(one, "Conformation");
        IDataView both = ml.Vae.LoadNumPy(several, ("Conformation", "Beads"), ("Radius", "Rg"));
        var limit = new NumPyLoadOptions { MaxBytes = 1 << 20 };
        Expect.That(ml.Vae.LoadNumPy(several, limit, ("Radius", "Rg")).Schema.Count == 1 && ml.Vae.LoadNumPy(one, "Conformation", options: limit).Schema.Count == 1,
            "arrays within a limit are read");
        try
        {
            ml.Vae.LoadNumPy(several, limit with { MaxBytes = 8 }, ("Conformation", "Beads"));
            throw new InvalidOperationException("An array beyond the limit was read.");
        }
        catch (InvalidDataException e)
        {
            Expect.That(limit.MaxBytes == 1 << 20 && e.Message.Contains("MaxBytes"), "an array beyond the limit is refused by name");
        }
        Expect.That(beads.Schema["Conformation"].Type is VectorDataViewType { Dimensions: [6, 2] },
            "an array [n, 6, 2] keeps its dimensions");
        float[] expected = Numbers(chains.Select(chain => chain.Beads));
        foreach (var view in new[] { beads, both })
            Expect.Near(Numbers(view.GetColumn<float[]>("Conformation")), expected, 0, "a number read back");
        Expect.Near([.. both.GetColumn<float>("Radius")], [.. rows.GetColumn<float>("Rg")], 0, "a radius read back");

        static float[] Numbers(IEnumerable<float[]> arrays) => [.. arrays.SelectMany(numbers => numbers)];
    }
}
