// Uses the exported model on what an application gets from the package Vae.MLNet.Inference alone.
using System.Globalization;
using PackageConsumer;
using Vae.MLNet.Inference;

string folder = args.Length > 0 ? args[0] : Path.Combine("artifacts", "consumer");
using var decoder = VaeDecoder.Load(Path.Combine(folder, "decoder.onnx"));

if (args.Contains("--cold-start"))
{
    // Microseconds of the wall clock, for the script that started this process; first the number so that it cannot be optimised away.
    float first = decoder.Decode([0.3f, -1.2f])[0];
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(DateTime.UtcNow - DateTime.UnixEpoch).Ticks / 10} {first}"));
    return 0;
}

float[] decoded = decoder.Decode([0.3f, -1.2f]);
Expect.That(decoded.Length == 12 && decoded.All(float.IsFinite), "decode gives twelve finite numbers");

var samples = decoder.Sample(count: 100, seed: 7);
Expect.That(samples.Count == 100 && samples.Outputs.Span.SequenceEqual(decoder.Sample(100, 7).Outputs.Span), "the same seed gives the same samples");

using var encoder = VaeEncoder.Load(Path.Combine(folder, "encoder.onnx"));
float[] from = encoder.Encode(samples.Output(0)), to = encoder.Encode(samples.Output(1));
var path = decoder.Interpolate(from, to, steps: 20);
Expect.That(path.Count == 20 && path.Latent(0).SequenceEqual(from) && path.Latent(19).SequenceEqual(to), "an interpolation keeps its ends");

var radius = LatentObjective.RadiusOfGyration(dimensions: 2);
var compact = decoder.Optimize(radius, from, new() { Steps = 100, PriorWeight = 0.01f });
double before = radius.Evaluate(path.Output(0)), after = radius.Evaluate(compact.BestOutput);
Expect.That(after < before, "optimisation makes the chain more compact");

// A decoder of bonds and angles gives coordinates like any other.
using (var built = VaeDecoder.Load(Path.Combine(folder, "cartesian-decoder.onnx")))
{
    Expect.That(built is { FeatureCount: 12, SupportsGradient: true }, "a decoder of bonds and angles gives coordinates");
    Expect.That(built.Decode([0, 0])[..2] is [0, 0], "a chain that is built begins at the origin");
}

// Shapes drawn bead by bead.
using var sampler = ChainSampler.Load(Path.Combine(folder, "chain-decoder.onnx"));
byte[] chainFile = File.ReadAllBytes(Path.Combine(folder, "chain-decoder.onnx"));
var again = ChainSampler.Load(chainFile);
using var streamed = ChainSampler.Load(new MemoryStream(chainFile));
Expect.That(sampler is { Beads: 6, Dimensions: 2, LatentDimension: 2, FeatureCount: 12, NoiseSize: 18 }, "the chain decoder has six beads");
Expect.That(streamed.Metadata["vae.dimensions"] == "2", "its metadata say their dimensions");
var chains = sampler.Sample(50, seed: 3);
Expect.That(chains.Outputs.Span.SequenceEqual(again.Sample(50, seed: 3).Outputs.Span), "the same seed gives the same chains");
again.Dispose();
var one = new float[12];
sampler.Decode(from, sampler.Noise(1, seed: 4), one);
Expect.Near(sampler.Interpolate(from, to, steps: 5, seed: 4).Output(0), one, 1e-3, "a film starts at its first latent");

// Of the shapes drawn, those that pass for frames.
var critic = VaeCritic.Load(Path.Combine(folder, "critic.onnx"));
byte[] criticFile = File.ReadAllBytes(Path.Combine(folder, "critic.onnx"));
using var criticInMemory = VaeCritic.Load(criticFile);
using var streamedCritic = VaeCritic.Load(new MemoryStream(criticFile));
Expect.That(critic is { FeatureCount: 12 } && critic.Metadata["vae.kind"] == "critic" && critic.CertainLogRatio == streamedCritic.CertainLogRatio
    && critic.ToString().Contains("12", StringComparison.Ordinal), "the critic is read");
var kept = sampler.Sample(20, seed: 3, new() { Critic = critic, Keep = shape => float.IsFinite(shape[0]), MaximumTries = 100_000 });
Expect.That(kept.Count == 20 && kept.Drawn >= 20 && kept.Acceptance is > 0 and <= 1, "shapes are kept by the critic");
var ratios = new float[20];
critic.LogRatios(kept.Outputs.Span, ratios);
Expect.That(ratios.All(ratio => criticInMemory.KeepProbability(ratio) is > 0 and <= 1), "what was kept can be kept");
Expect.That(sampler.Interpolate(from, to, steps: 3, seed: 4, critic: critic).Count == 3, "a film can be chosen by the critic");
critic.Dispose();

// Every public entry point once.
EntryPoints.Call(folder);

Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
    $"Decoded, drew {samples.Count} samples, interpolated over {path.Count} points, radius of gyration {before:F3} -> {after:F3}."));
return 0;
