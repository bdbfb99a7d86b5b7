using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using BeadSpringPolymer;
using BeadSpringPolymer.Simulation;

var data = new Option<FileInfo?>("--data") { Description = "Conformations to use instead of simulated ones: an .npz or .npy file holding [frames, beads, 2]." };
data.Validators.Add(result =>
{
    if (result.GetValueOrDefault<FileInfo?>() is { Exists: false } file)
        result.AddError($"--data: there is no file '{file.FullName}'.");
});
var output = new Option<DirectoryInfo>("--output")
{
    Description = "Folder for models, pictures and results.json.",
    DefaultValueFactory = _ => new DirectoryInfo(Path.Combine("output", "bead-spring-polymer")),
};
Option<int> epochs = Number("--epochs", "Epochs of training.", 150, minimum: 1);
Option<int> seed = Number("--seed", "Seed of the simulation and of the training.", 1, minimum: 0);
Option<int> conformations = Number("--conformations", "Conformations to simulate.", 10_000, minimum: 100);
var simulateOnly = new Option<bool>("--simulate-only") { Description = "Simulate anew, print time and statistics, and stop.", Hidden = true };

var command = new RootCommand("Trains a variational autoencoder on conformations of a bead-spring polymer in an ML.NET pipeline, and uses its exported decoder.") { data, output, epochs, seed, conformations, simulateOnly };
command.SetAction((result, cancellationToken) => Task.Run(() =>
{
    var options = new ExampleOptions
    {
        Data = result.GetValue(data),
        Output = result.GetValue(output)!,
        Epochs = result.GetValue(epochs),
        Seed = result.GetValue(seed),
        Conformations = result.GetValue(conformations),
        SimulateOnly = result.GetValue(simulateOnly),
    };
    if (options.SimulateOnly)
        Simulate(options, cancellationToken);
    else
        new Demo(options, cancellationToken).Run();
    return 0;
}, cancellationToken));
return await command.Parse(args).InvokeAsync();

static void Simulate(ExampleOptions options, CancellationToken cancellationToken)
{
    var simulation = new BeadSpringOptions();
    long start = Stopwatch.GetTimestamp();
    // A timing is a timing of the simulation, never of the cache.
    Trajectory trajectory = BeadSpringSimulator.Run(simulation, options.Conformations, options.Seed, cancellationToken: cancellationToken);
    double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
    TrajectoryStatistics statistics = TrajectoryStatistics.Of(trajectory);
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{trajectory.Count} conformations of {trajectory.Beads} beads, seed {options.Seed}: {seconds:F1} s; kinetic temperature {trajectory.KineticTemperature:F4} kT; " +
        $"Rg {statistics.MinimumRadiusOfGyration:F3} to {statistics.MaximumRadiusOfGyration:F3}, mean {statistics.MeanRadiusOfGyration:F3}, " +
        $"autocorrelation of neighbouring frames {statistics.Autocorrelation:F3}; mean bond {statistics.MeanBondLength:F4}"));
}

static Option<int> Number(string name, string description, int value, int minimum)
{
    var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => value };
    option.Validators.Add(result =>
    {
        if (result.GetValueOrDefault<int>() < minimum)
            result.AddError($"{name} has to be at least {minimum}; it is {result.GetValueOrDefault<int>()}.");
    });
    return option;
}
