namespace Vae.MLNet;

/// <summary>Nonlinearity between hidden layers.</summary>
public enum Activation
{
    /// <summary>max(x, 0).</summary>
    ReLU,

    /// <summary>x · sigmoid(x), also called swish.</summary>
    SiLU,

    /// <summary>Hyperbolic tangent.</summary>
    Tanh,

    /// <summary>x for x &gt; 0, exp(x) - 1 otherwise.</summary>
    ELU,

    /// <summary>x for x &gt; 0, 0.01 x otherwise.</summary>
    LeakyReLU,

    /// <summary>x · Φ(x) with Φ the normal distribution function (exact, by erf).</summary>
    GELU,

    /// <summary>log(1 + exp(x)).</summary>
    Softplus,
}

/// <summary>How the encoder's second output gives the posterior's standard deviation σ.</summary>
public enum PosteriorParameterization
{
    /// <summary>σ = log(1 + exp(s)) + 1e-6; the floor keeps log σ finite.</summary>
    Softplus,

    /// <summary>σ = exp(s / 2): the output is the log-variance, limited to [-30, 20].</summary>
    LogVariance,
}

/// <summary>The model of the data given a latent: p(x|z).</summary>
public enum Likelihood
{
    /// <summary>
    /// Squared error, averaged over the features: the loss of many courses and of the plain autoencoder; not a normalised density.
    /// </summary>
    MeanSquaredError,

    /// <summary>Independent normal distributions, -log p in nats summed over the features; see <see cref="GaussianNoise"/> for σ.</summary>
    Gaussian,

    /// <summary>Independent coin flips by logits, in nats summed over the features; features lie in [0, 1].</summary>
    Bernoulli,

    /// <summary>
    /// One of <c>GroupSize</c> symbols in each group of features, by a softmax over the group, in nats summed over the groups; features are
    /// one-hot.
    /// </summary>
    Categorical,
}

/// <summary>Where the standard deviation of a Gaussian likelihood comes from.</summary>
public enum GaussianNoise
{
    /// <summary>Given by <c>NoiseStandardDeviation</c> and not trained.</summary>
    Fixed,

    /// <summary>One number for all features, trained.</summary>
    LearnedShared,

    /// <summary>One number for each feature, trained.</summary>
    LearnedPerFeature,
}

/// <summary>How the KL divergence of a row is reduced over the latent dimensions; over the rows of a batch it is always averaged.</summary>
public enum KlReduction
{
    /// <summary>
    /// <see cref="Mean"/> for <see cref="Likelihood.MeanSquaredError"/>, whose error is averaged as well; otherwise <see cref="Sum"/>, the
    /// true ELBO.
    /// </summary>
    Auto,

    /// <summary>Averaged over the latent dimensions.</summary>
    Mean,

    /// <summary>Summed over the latent dimensions, as in the ELBO.</summary>
    Sum,
}

/// <summary>
/// A transformation of the features inside the model; its constants are taken from the training data and travel in the exported graph.
/// </summary>
public enum InputScaling
{
    /// <summary>None: the features are used as they are.</summary>
    None,

    /// <summary>(x - mean) / standard deviation, feature by feature; a constant feature is only centred.</summary>
    Standardize,

    /// <summary>
    /// asinh((x - median) / max(IQR / 1.349, 0.1 standard deviations)), feature by feature: linear in the bulk, logarithmic in the tails,
    /// so that neither a wide column nor a few far-out rows rule the loss.
    /// </summary>
    RobustAsinh,

    /// <summary>
    /// Chosen by the training data. <see cref="None"/> where the features are of one moderate size, as coordinates of one unit are: every
    /// mean within ±10, every standard deviation between 0.1 and 10, none above ten times another; or grey levels: at least 64 features,
    /// all between 0 and 1, three quarters of like spread. Otherwise <see cref="RobustAsinh"/> where a feature has far-out values (its
    /// standard deviation above four times what its quartiles say), else <see cref="Standardize"/>. <see cref="None"/> for Bernoulli and
    /// categorical likelihoods. What was chosen is logged, and <see cref="VaeModel.Options"/> of the trained model has it.
    /// </summary>
    Auto,
}

/// <summary>How the learning rate changes over the training.</summary>
public enum LearningRateSchedule
{
    /// <summary>It does not.</summary>
    Constant,

    /// <summary>
    /// It falls along half a cosine from its full value to one hundredth of it at the last step (Loshchilov and Hutter 2017, without
    /// restarts).
    /// </summary>
    Cosine,
}

/// <summary>Which rows <c>ValidationFraction</c> holds out.</summary>
public enum ValidationSelection
{
    /// <summary>Rows drawn at random with the training's seed.</summary>
    Random,

    /// <summary>The last rows as one block: for trajectories, whose neighbouring rows resemble each other.</summary>
    LastRows,
}

/// <summary>What a cancelled training leaves.</summary>
public enum CancellationBehavior
{
    /// <summary><see cref="OperationCanceledException"/> is thrown.</summary>
    Throw,

    /// <summary>
    /// The best model so far is returned (by validation loss where there is one, otherwise the newest); before the end of the first epoch
    /// the exception is thrown.
    /// </summary>
    KeepBest,
}

/// <summary>Where the training runs.</summary>
public enum TrainingDevice
{
    /// <summary>The processor.</summary>
    Cpu,

    /// <summary>The first CUDA device; an error where there is none.</summary>
    Cuda,

    /// <summary>CUDA where there is a device, otherwise the processor.</summary>
    Auto,
}
