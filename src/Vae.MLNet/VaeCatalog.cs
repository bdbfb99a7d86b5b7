using Microsoft.ML;
using Microsoft.ML.Runtime;

namespace Vae.MLNet;

/// <summary>
/// Everything this library offers, reached as <c>mlContext.Vae</c>: loaders, transforms, trainers, evaluation and export.
/// </summary>
public sealed partial class VaeCatalog
{
    internal VaeCatalog(MLContext context) => Context = Check.NotNull(context);

    internal MLContext Context { get; }

    internal IHostEnvironment Environment => Context;
}
