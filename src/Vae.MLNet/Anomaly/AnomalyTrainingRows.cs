namespace Vae.MLNet;

/// <summary>What is known of the rows that an anomaly detector is trained on; each has defaults of its own.</summary>
public enum AnomalyTrainingRows
{
    /// <summary>They may hold anomalies, which are not to be learnt.</summary>
    Contaminated,

    /// <summary>They are ordinary rows alone: what is far from all of them is an anomaly.</summary>
    Clean,
}
