using System.Text;
using Microsoft.ML;
using Vae.MLNet.Model;

namespace Vae.MLNet.Tests.Model;

[TestClass]
public sealed class TorchRuntimeTests
{
    private static readonly string Library = OperatingSystem.IsWindows() ? "torch_cpu.dll" : OperatingSystem.IsMacOS() ? "libtorch_cpu.dylib" : "libtorch_cpu.so";

    private string _folder = "";

    [TestInitialize]
    public void Start() => _folder = Directory.CreateTempSubdirectory("torch-runtime").FullName;

    [TestCleanup]
    public void End() => Directory.Delete(_folder, recursive: true);

    [TestMethod]
    public void Diagnose_NoNativePackage_NamesThePackage()
    {
        string message = TorchRuntime.Diagnose([_folder], null);
        Assert.Contains(Library, message);
        Assert.Contains("TorchSharp-cpu", message);
        Assert.Contains("0.107", message);
    }

    [TestMethod]
    public void Diagnose_OldRuntime_NamesNeededAndFound()
    {
        File.WriteAllBytes(Path.Combine(_folder, Library), []);
        string runtime = Path.Combine(_folder, "libstdc++.so.6");
        File.WriteAllBytes(runtime, [0x7F, .. Encoding.ASCII.GetBytes("ELF\0GLIBCXX_3.4\0GLIBCXX_3.4.9\0GLIBCXX_3.4.30\0GLIBCXX_3.4.21\0")]);
        string message = TorchRuntime.Diagnose([_folder], runtime);
        Assert.Contains("GLIBCXX_3.4.32", message);
        Assert.Contains("has GLIBCXX_3.4.30", message);
        Assert.Contains("Debian 12", message);
    }

    [TestMethod]
    public void Diagnose_OtherCause_PointsToTheInnerException()
    {
        File.WriteAllBytes(Path.Combine(_folder, Library), []);
        string runtime = Path.Combine(_folder, "libstdc++.so.6");
        File.WriteAllBytes(runtime, Encoding.ASCII.GetBytes("GLIBCXX_3.4.33"));
        Assert.Contains("inner exception", TorchRuntime.Diagnose([_folder], runtime));
        Assert.Contains("inner exception", TorchRuntime.Diagnose([_folder], null));
    }

    [TestMethod]
    public void NewestGlibcxx_NoVersionsOrNoFile_IsNull()
    {
        File.WriteAllBytes(Path.Combine(_folder, "other"), [1, 2, 3]);
        Assert.IsNull(TorchRuntime.NewestGlibcxx(Path.Combine(_folder, "other")));
        Assert.IsNull(TorchRuntime.NewestGlibcxx(Path.Combine(_folder, "missing")));
    }

    [TestMethod]
    public void Fit_CudaWhereThereIsNone_SaysWhatToDo()
    {
        TorchRuntime.EnsureLoaded();
        if (TorchSharp.torch.cuda.is_available())
            Assert.Inconclusive("This machine has a CUDA device.");
        var context = new MLContext();
        var trainer = context.Vae.VariationalAutoencoder("Latent", EstimatorContract.Input, new() { Device = TrainingDevice.Cuda, Epochs = 1 });
        string message = Assert.ThrowsExactly<InvalidOperationException>(() => trainer.Fit(EstimatorContract.Load(context, TestRows.Curved(20, 4)))).Message;
        Assert.Contains("TorchSharp-cuda", message);
        Assert.Contains("Cpu", message);
    }
}
