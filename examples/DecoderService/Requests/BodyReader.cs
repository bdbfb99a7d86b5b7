using System.Text;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Net.Http.Headers;

namespace DecoderService.Requests;

/// <summary>
/// Reads a request's body whole, within a size and a time, before anything else happens for it: a client that sends half a body, or sends it slowly, holds a
/// connection and what it has sent, but no place among the computations. What follows finds the body in memory, as UTF-8.
/// </summary>
internal sealed class BodyReader(RequestDelegate next, ServiceOptions options)
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public async Task InvokeAsync(HttpContext context)
    {
        var request = context.Request;
        if (context.GetEndpoint()?.Metadata.GetMetadata<IAcceptsMetadata>() is null)
        {
            await next(context);
            return;
        }
        var charset = Charset(request);
        var body = await ReadAsync(context);
        request.Body = charset is null ? body : Recode(body, charset);
        // What follows reads charsets by rules of its own.
        request.ContentType = "application/json";
        await next(context);
    }

    /// <summary>The encoding that the content type names; null for UTF-8, in which JSON is written.</summary>
    private static Encoding? Charset(HttpRequest request)
    {
        if (request.Headers.ContentEncoding.ToString() is { Length: > 0 } coding && !coding.Equals("identity", StringComparison.OrdinalIgnoreCase))
            throw Unsupported($"A body with the content encoding '{coding}' is not read; send it as it is.");
        if (string.IsNullOrEmpty(request.ContentType))
            throw Unsupported("The content type is missing; application/json is expected.");
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type))
            throw Unsupported($"The content type '{request.ContentType}' cannot be read; application/json is expected.");
        if (!type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase) && !type.Suffix.Equals("json", StringComparison.OrdinalIgnoreCase))
            throw Unsupported($"The content type is '{type.MediaType}'; application/json is expected.");
        var charsets = type.Parameters.Where(parameter => parameter.Name.Equals("charset", StringComparison.OrdinalIgnoreCase)).ToArray();
        if (charsets.Length == 0)
            return null;
        string name = string.Join(", ", charsets.Select(charset => HeaderUtilities.RemoveQuotes(charset.Value).ToString()));
        if (name.Equals("utf-8", StringComparison.OrdinalIgnoreCase))
            return null;
        try
        {
            return Encoding.GetEncoding(name, EncoderFallback.ExceptionFallback, DecoderFallback.ExceptionFallback);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw Unsupported($"The charset '{name}' is not known; send UTF-8.");
        }
    }

    private static BadHttpRequestException Unsupported(string message) => new(message, StatusCodes.Status415UnsupportedMediaType);

    private async Task<MemoryStream> ReadAsync(HttpContext context)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        deadline.CancelAfter(options.BodyTimeout);
        // The length that a client states is believed as far as it has sent something.
        var body = new MemoryStream((int)Math.Clamp(context.Request.ContentLength ?? 0, 0, 4096));
        var piece = new byte[4096];
        try
        {
            for (int count; (count = await context.Request.Body.ReadAsync(piece, deadline.Token)) > 0;)
            {
                if (body.Length + count > options.MaximumBody)
                    throw new BadHttpRequestException("", StatusCodes.Status413PayloadTooLarge);
                body.Write(piece, 0, count);
                if (piece.Length < 65536 && body.Length >= 65536)
                    piece = new byte[65536];
            }
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            throw new BadHttpRequestException("", StatusCodes.Status408RequestTimeout);
        }
        body.Position = 0;
        return body;
    }

    private static MemoryStream Recode(MemoryStream body, Encoding charset)
    {
        try
        {
            string text = charset.GetString(body.GetBuffer(), 0, (int)body.Length);
            return new MemoryStream(Utf8.GetBytes(text.TrimStart('\uFEFF')));
        }
        catch (Exception e) when (e is DecoderFallbackException or EncoderFallbackException)
        {
            throw new BadHttpRequestException($"is not text in the charset '{charset.WebName}'.");
        }
    }
}
