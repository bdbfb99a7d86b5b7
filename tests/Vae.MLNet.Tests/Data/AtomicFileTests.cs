using System.Diagnostics;
using Microsoft.ML;
using Vae.MLNet.Data;

namespace Vae.MLNet.Tests.Data;

[TestClass]
public sealed class AtomicFileTests
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vae-atomic-").FullName;

    [TestCleanup]
    public void Cleanup() => Directory.Delete(_folder, recursive: true);

    [TestMethod]
    [DataRow("file", "a.bin")]
    [DataRow("archive", "a.npz")]
    public void Write_ClearsWhatKilledProcessesLeft(string what, string name)
    {
        File.WriteAllText(At(name), "earlier");
        for (int i = 0; i < 3; i++)
            KilledWrite.StartAndKill(what, At(name));
        Assert.AreEqual("earlier", File.ReadAllText(At(name)));
        Assert.IsGreaterThan(1, Entries().Length, "The last left something; each cleared up behind the one before.");
        // Also when something else is written there.
        AtomicFile.WriteAllText(At("other.txt"), "1");
        Assert.AreSequenceEqual(new[] { name, "other.txt" }, Entries());
    }

    [TestMethod]
    public void Write_LeavesFilesOfLiveProcesses()
    {
        Process other = KilledWrite.Start("file", At("a.bin")), gone = KilledWrite.Start("file", At("b.bin"));
        try
        {
            KilledWrite.Kill(gone);
            AtomicFile.Write(At("c.bin"), _ =>
            {
                AtomicFile.WriteAllText(At("d.bin"), "1");
                Assert.HasCount(2, Directory.GetFiles(_folder, ".*"), "That of the other process and this one's own.");
            });
            Assert.HasCount(1, Directory.GetFiles(_folder, ".*"));
        }
        finally
        {
            KilledWrite.Kill(other);
        }
        AtomicFile.WriteAllText(At("c.bin"), "1");
        Assert.AreSequenceEqual(new[] { "c.bin", "d.bin" }, Entries());
    }

    [TestMethod]
    public void Write_LeavesForeignHiddenFiles()
    {
        string[] names = [".a.tmp", ".vae-notes.tmp", ".vae-00000000-1-1-short.tmp", ".gitignore"];
        foreach (string name in names)
            File.WriteAllText(At(name), "mine");
        AtomicFile.WriteAllText(At("a"), "1");
        Assert.AreSequenceEqual(names.Append("a").Order(StringComparer.Ordinal).ToArray(), Entries());
    }

    [TestMethod]
    public void Write_FailureLeavesTheEarlierFileAndNothingElse()
    {
        File.WriteAllText(At("a"), "earlier");
        Assert.ThrowsExactly<InvalidOperationException>(() => AtomicFile.Write(At("a"), stream =>
        {
            stream.Write("half"u8);
            throw new InvalidOperationException();
        }));
        Assert.AreEqual("earlier", File.ReadAllText(At("a")));
        Assert.AreSequenceEqual(new[] { "a" }, Entries());
    }

    [TestMethod]
    public void Write_FileIsReadableAtOnce()
    {
        // A reader that keeps writers out, as .NET's do, never meets a file that is still locked.
        AtomicFile.WriteAllText(At("a"), "0");
        using var done = new CancellationTokenSource();
        var reading = Task.Run(() =>
        {
            int reads = 0;
            for (; !done.IsCancellationRequested; reads++)
                Assert.AreEqual(1, File.ReadAllText(At("a")).Length);
            return reads;
        });
        for (int i = 0; i < 500; i++)
            AtomicFile.WriteAllText(At("a"), "1");
        done.Cancel();
        Assert.IsGreaterThan(0, reading.GetAwaiter().GetResult());
    }

    [TestMethod]
    public void Write_ManyAtOnce()
    {
        Parallel.For(0, 1000, i => AtomicFile.WriteAllText(At($"f{i % 20}"), "text"));
        Assert.HasCount(20, Entries());
        Assert.IsTrue(Directory.GetFiles(_folder).All(file => File.ReadAllText(file) == "text"));
    }

    [TestMethod]
    [OSCondition(ConditionMode.Exclude, OperatingSystems.Windows)]
    public void Write_FollowsLinks()
    {
        string data = Path.Combine(_folder, "data"), deep = Path.Combine(_folder, "x", "y");
        Directory.CreateDirectory(data);
        Directory.CreateDirectory(deep);
        File.WriteAllText(Path.Combine(data, "real"), "earlier");
        File.CreateSymbolicLink(At("one"), Path.Combine("data", "real"));
        File.CreateSymbolicLink(At("two"), At("one"));
        // The parent of a linked folder is not where the link stands.
        Directory.CreateSymbolicLink(At("short"), deep);
        File.CreateSymbolicLink(Path.Combine(deep, "up"), Path.Combine("..", "above"));
        File.CreateSymbolicLink(At("dangling"), Path.Combine("data", "fresh"));

        AtomicFile.WriteAllText(At("two"), "new");
        Assert.AreEqual("new", File.ReadAllText(Path.Combine(data, "real")));
        Assert.AreEqual(At("one"), new FileInfo(At("two")).LinkTarget);
        AtomicFile.WriteAllText(Path.Combine(_folder, "short", "up"), "above");
        Assert.AreEqual("above", File.ReadAllText(Path.Combine(_folder, "x", "above")));
        AtomicFile.WriteAllText(At("dangling"), "fresh");
        Assert.AreEqual("fresh", File.ReadAllText(Path.Combine(data, "fresh")));
        Assert.IsNotNull(new FileInfo(At("dangling")).LinkTarget);

        File.CreateSymbolicLink(At("lost"), Path.Combine("nowhere", "file"));
        StringAssert.Contains(Assert.ThrowsExactly<DirectoryNotFoundException>(() => AtomicFile.WriteAllText(At("lost"), "1")).Message, "nowhere");
        File.CreateSymbolicLink(At("round"), At("about"));
        File.CreateSymbolicLink(At("about"), At("round"));
        Assert.Throws<IOException>(() => AtomicFile.WriteAllText(At("round"), "1"));
        Assert.IsEmpty(Directory.GetFiles(_folder, ".*", SearchOption.AllDirectories));
    }

    [TestMethod]
    [OSCondition(ConditionMode.Exclude, OperatingSystems.Windows)]
    public void Write_KeepsTheMode()
    {
        if (OperatingSystem.IsWindows())
            return;
        foreach (int mode in (int[])[0x1A0, 0x180, 0x1B6, 0x1ED, 0x124])
        {
            string path = At($"mode{mode}");
            File.WriteAllText(path, "earlier");
            File.SetUnixFileMode(path, (UnixFileMode)mode);
            AtomicFile.WriteAllText(path, "new");
            Assert.AreEqual((UnixFileMode)mode, File.GetUnixFileMode(path));
            Assert.AreEqual("new", File.ReadAllText(path));
        }
        File.WriteAllText(At("usual"), "");
        AtomicFile.WriteAllText(At("fresh"), "");
        Assert.AreEqual(File.GetUnixFileMode(At("usual")), File.GetUnixFileMode(At("fresh")), "A new file has the usual one.");
        AtomicFile.Write(At("mode384"), stream => Assert.IsTrue(OperatingSystem.IsWindows() || File.GetUnixFileMode(stream.SafeFileHandle) == (UnixFileMode.UserRead | UnixFileMode.UserWrite), "Not even for the time of the write."));
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    public async Task Write_DevicesStayWhatTheyAre()
    {
        AtomicFile.WriteAllText("/dev/null", "1");
        File.CreateSymbolicLink(At("nothing.csv"), "/dev/null");
        AtomicFile.WriteAllText(At("nothing.csv"), "1");
        Assert.AreEqual("/dev/null", new FileInfo(At("nothing.csv")).LinkTarget);
        Assert.IsTrue(SystemFiles.IsDevice("/dev/null"));
        Assert.AreEqual(0, new FileInfo("/dev/null").Length);
        Assert.Throws<IOException>(() => AtomicFile.WriteAllText("/dev/full", "1"));

        // A pipe, which knows no going back: the format's header is written last.
        using (var made = Process.Start("mkfifo", At("pipe.npy")))
            made.WaitForExit();
        var reading = Task.Run(() => File.ReadAllBytes(At("pipe.npy")));
        var context = new MLContext();
        var rows = context.Data.LoadFromEnumerable(Enumerable.Range(0, 3).Select(i => new Row { Value = i }));
        context.Vae.SaveNumPy(rows, At("pipe.npy"), "Value");
        context.Vae.SaveNumPy(rows, At("file.npy"), "Value");
        CollectionAssert.AreEqual(File.ReadAllBytes(At("file.npy")), await reading);
        Assert.IsTrue(SystemFiles.IsDevice(At("pipe.npy")));
        foreach (string ordinary in (string[])[At("file.npy"), _folder, At("missing"), "/proc"])
            Assert.IsFalse(SystemFiles.IsDevice(ordinary), ordinary);
        Assert.AreEqual(1, SystemFiles.OpenFile("/dev/stdout"));
        Assert.AreEqual(7, SystemFiles.OpenFile("/proc/self/fd/7"));
        Assert.AreEqual(2, SystemFiles.OpenFile("/dev/fd/2"));
        Assert.IsNull(SystemFiles.OpenFile("/dev/null"));
        Assert.IsEmpty(Directory.GetFiles(_folder, ".*"));
    }

    [TestMethod]
    [DataRow(255)]
    [DataRow(240)]
    [DataRow(215)]
    public void Write_NamesAsLongAsTheFileSystemsAre(int length)
    {
        string name = new('n', length - 4), npz = name + ".npz", npy = name + ".npy";
        var context = new MLContext();
        var rows = context.Data.LoadFromEnumerable([new Row { Value = 1 }]);
        for (int i = 0; i < 2; i++)
        {
            context.Vae.SaveNumPy(rows, At(npz), "Value");
            context.Vae.SaveNumPy(rows, At(npy), "Value");
            using var folder = new AtomicFolder(At(new('f', length)));
            KilledWrite.Fill(folder, $"{i}");
            folder.Complete();
        }
        Assert.HasCount(3, Entries());
        Assert.AreEqual("1", File.ReadAllText(Path.Combine(At(new('f', length)), "model")));
    }

    [TestMethod]
    public void Write_AMistypedFolderIsAnError()
    {
        foreach (string path in (string[])[Path.Combine("no", "a"), Path.Combine("no", "such", "a")])
        {
            var error = Assert.ThrowsExactly<DirectoryNotFoundException>(() => AtomicFile.WriteAllText(At(path), "1"));
            StringAssert.Contains(error.Message, At(path));
            StringAssert.Contains(error.Message, "does not exist");
            Assert.ThrowsExactly<DirectoryNotFoundException>(() => new AtomicFolder(At(path)));
        }
        var context = new MLContext();
        Assert.ThrowsExactly<DirectoryNotFoundException>(() => context.Vae.SaveNumPy(context.Data.LoadFromEnumerable([new Row { Value = 1 }]), At(Path.Combine("no", "a.npy")), "Value"));
        Assert.ThrowsExactly<IOException>(() => AtomicFile.WriteAllText(_folder, "1"));
        Assert.ThrowsExactly<IOException>(() => AtomicFile.WriteAllText(At("no") + Path.DirectorySeparatorChar, "1"));
        Assert.IsEmpty(Entries());
    }

    [TestMethod]
    public void Folder_ReplacesAndKeepsWhatOthersPutThere()
    {
        foreach (bool exchanges in (bool[])[true, false])
        {
            string target = At($"model{exchanges}");
            Fill(target, exchanges, "first");
            Assert.AreEqual("first", File.ReadAllText(Path.Combine(target, "model")));
            File.WriteAllText(Path.Combine(target, "notes"), "mine");
            Directory.CreateDirectory(Path.Combine(target, "figures", "png"));
            Fill(target, exchanges, "second");
            AssertModel(target, "second");
            Assert.IsTrue(Directory.Exists(Path.Combine(target, "figures", "png")));
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(target, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                File.SetUnixFileMode(Path.Combine(target, "model"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
                Fill(target, exchanges, "third");
                Assert.AreEqual(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(target));
                Assert.AreEqual(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(target, "model")));
                Directory.CreateSymbolicLink(At($"link{exchanges}"), target);
                Fill(At($"link{exchanges}"), exchanges, "fourth");
                AssertModel(target, "fourth");
                Assert.AreEqual(target, new FileInfo(At($"link{exchanges}")).LinkTarget);
            }
        }
        Assert.IsEmpty(Directory.GetFileSystemEntries(_folder, ".*"));
    }

    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    public async Task Folder_IsThereAtEveryMoment()
    {
        string target = At("model");
        Fill(target, true, "0");
        using var done = new CancellationTokenSource();
        var looking = Task.Run(() =>
        {
            long missing = 0;
            while (!done.IsCancellationRequested)
                missing += File.Exists(Path.Combine(target, "record")) ? 0 : 1;
            return missing;
        });
        for (int i = 0; i < 200; i++)
            Fill(target, true, "1");
        await done.CancelAsync();
        Assert.AreEqual(0, await looking);
    }

    [TestMethod]
    [DataRow("filled", true, "old")]
    [DataRow("planned", true, "old")]
    [DataRow("replaced", true, "new")]
    [DataRow("kept", true, "new")]
    [DataRow("planned", false, "old")]
    [DataRow("moved away", false, "new")]
    [DataRow("replaced", false, "new")]
    [DataRow("kept", false, "new")]
    public void Folder_KilledAtEachStep_IsWholeAfterwards(string step, bool exchanges, string expected)
    {
        string target = At("model");
        Fill(target, true, "old");
        File.WriteAllText(Path.Combine(target, "notes"), "mine");
        KilledWrite.StartAndKill($"folder {(exchanges ? "at-once" : "twice")} {step}", target);
        Assert.AreEqual(step != "moved away", Directory.Exists(target));
        Assert.IsNotEmpty(Directory.GetFileSystemEntries(_folder, ".*"));
        // The next that reads a missing folder finishes it; the next that writes beside it clears up in any case.
        AtomicFolder.Recover(target);
        Assert.AreEqual(expected, File.ReadAllText(Path.Combine(target, "model")));
        AtomicFile.WriteAllText(At("other"), "1");
        AssertModel(target, expected);
        Assert.AreSequenceEqual(new[] { "model", "other" }, Entries());
    }

    [TestMethod]
    public void Folder_ThatCannotTakeItsPlace_LosesNothing()
    {
        string target = At("model");
        Fill(target, true, "old");
        File.WriteAllText(Path.Combine(target, "notes"), "mine");
        foreach (bool exchanges in (bool[])[true, false])
        {
            using (var folder = new AtomicFolder(target) { Exchanges = exchanges, Step = step => throw new InvalidOperationException(step) })
            {
                KilledWrite.Fill(folder, "new");
                Assert.ThrowsExactly<InvalidOperationException>(folder.Complete);
            }
            AssertModel(target, "old");
            using (var folder = new AtomicFolder(target) { Exchanges = exchanges, Step = step => _ = step == "replaced" ? throw new InvalidOperationException(step) : 0 })
            {
                KilledWrite.Fill(folder, "new");
                Assert.ThrowsExactly<InvalidOperationException>(folder.Complete);
            }
            AtomicFile.WriteAllText(At("other"), "1");
            AssertModel(target, "new");
            Fill(target, true, "old");
        }
        Assert.AreSequenceEqual(new[] { "model", "other" }, Entries());
    }

    private static void Fill(string target, bool exchanges, string text)
    {
        using var folder = new AtomicFolder(target) { Exchanges = exchanges };
        KilledWrite.Fill(folder, text);
        folder.Complete();
    }

    private static void AssertModel(string target, string text)
    {
        foreach (string name in (string[])["model", "record"])
            Assert.AreEqual(text, File.ReadAllText(Path.Combine(target, name)));
        Assert.AreEqual("mine", File.ReadAllText(Path.Combine(target, "notes")));
    }

    private string[] Entries() => [.. Directory.GetFileSystemEntries(_folder).Select(entry => Path.GetFileName(entry)!).Order(StringComparer.Ordinal)];

    private string At(string name) => Path.Combine(_folder, name);

    private sealed class Row
    {
        public float Value { get; set; }
    }
}
