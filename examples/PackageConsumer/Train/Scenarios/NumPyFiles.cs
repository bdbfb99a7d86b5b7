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
        IDataView rows = ml.Vae.RadiusOfGyration("Rg", "Beads", dimensions: 2).Fit(ml.Data.LoadFromEnumerable(chains)).Transform(ml.Data.LoadFromEnumerable(chains));
        ml.Vae.SaveNumPy(rows, one, "Beads");
        ml.Vae.SaveNumPy(rows, several, "Beads", "Rg");

        IDataView beads = ml.Vae.LoadNumPy(one, "Conformation"), both = ml.Vae.LoadNumPy(several, ("Conformation", "Beads"), ("Radius", "Rg"));
        Expect.That(beads.Schema["Conformation"].Type is VectorDataViewType { Dimensions: [6, 2] }, "an array [n, 6, 2] keeps its dimensions");
        foreach (var view in new[] { beads, both })
        {
            Expect.Near([.. view.GetColumn<float[]>("Conformation").SelectMany(chain => chain)], [.. chains.SelectMany(chain => chain.Beads)], 0, "a number read back to be");
        }
        Expect.Near([.. both.GetColumn<float>("Radius")], [.. rows.GetColumn<float>("Rg")], 0, "a radius read back to be");
    }
}
