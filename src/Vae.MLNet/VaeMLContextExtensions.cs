using Vae.MLNet;

namespace Microsoft.ML;

/// <summary>The entry to Vae.MLNet from an <see cref="MLContext"/>.</summary>
public static class VaeMLContextExtensions
{
    extension(MLContext context)
    {
        /// <summary>Variational autoencoders and what goes with them: loaders, transforms, trainers, evaluation and export.</summary>
        public VaeCatalog Vae => new(context);
    }
}
