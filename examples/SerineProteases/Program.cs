using System.CommandLine;
using System.Globalization;
using SerineProteases;

var alignment = new Option<FileInfo?>("--alignment") { Description = "Alignment to use instead of a simulated family: FASTA, A2M, A3M or Stockholm, gzipped or not." };
alignment.Validators.Add(result =>
{
    if (result.GetValueOrDefault<FileInfo?>() is { Exists: false } file)
        result.AddError($"--alignment: there is no file '{file.FullName}'.");
});
var reference = new Option<string?>("--reference") { Description = "Name of the reference in the alignment, which numbers the positions; the first sequence where it is not given." };
var annotations = new Option<string?>("--annotations") { Description = "What the annotation fields in the alignment's headers start behind; they are separated by '|'." };
Option<int> colourBy = Number("--colour-by", "The annotation field, counted from 1, that colours the latent map.", 1, minimum: 1);
var conserved = new Option<string[]>("--conserved")
{
    Description = "Residues to look for in the samples, such as H57 D102 S195.",
    AllowMultipleArgumentsPerToken = true,
    DefaultValueFactory = _ => [],
};
conserved.Validators.Add(result =>
{
    foreach (string text in result.GetValueOrDefault<string[]>() ?? [])
    {
        if (Residue(text) is null)
            result.AddError($"--conserved: '{text}' is not a letter and a position, such as H57.");
    }
});
var output = new Option<DirectoryInfo>("--output")
{
    Description = "Folder for models, sequences and pictures.",
    DefaultValueFactory = _ => new DirectoryInfo(Path.Combine("output", "serine-proteases")),
};
Option<int> members = Number("--members", "Models in the ensemble.", 2, minimum: 1);
Option<int> samples = Number("--samples", "Sequences to generate.", 2000, minimum: 10);
Option<int> seed = Number("--seed", "Seed of simulation, training and sampling.", 1, minimum: 0);

var command = new RootCommand("Learns a protein family with a variational autoencoder, generates new members and scores variants.")
{
    alignment, reference, annotations, colourBy, conserved, output, members, samples, seed,
};
command.SetAction((result, cancellationToken) => Task.Run(() =>
{
    Demo.Run(new ExampleOptions
    {
        Alignment = result.GetValue(alignment),
        Reference = result.GetValue(reference),
        AnnotationStart = result.GetValue(annotations),
        ColourBy = result.GetValue(colourBy),
        Conserved = [.. result.GetValue(conserved)!.Select(text => Residue(text)!.Value)],
        Output = result.GetValue(output)!,
        Members = result.GetValue(members),
        Samples = result.GetValue(samples),
        Seed = result.GetValue(seed),
    }, cancellationToken);
    return 0;
}, cancellationToken));
return await command.Parse(args).InvokeAsync();

static (int Position, char Letter)? Residue(string text) =>
    text.Length > 1 && char.IsAsciiLetter(text[0]) && int.TryParse(text.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out int position)
        ? (position, char.ToUpperInvariant(text[0]))
        : null;

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
