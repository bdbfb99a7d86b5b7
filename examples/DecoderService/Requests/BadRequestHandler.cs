using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics;

namespace DecoderService.Requests;

/// <summary>Words what cannot even be read as a request (broken JSON, wrong types, unknown fields, a body too large) as problem details that name the field.</summary>
internal sealed class BadRequestHandler(ServiceOptions options) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellationToken)
    {
        if (exception is OperationCanceledException && context.RequestAborted.IsCancellationRequested)
        {
            context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            return true;
        }
        if (exception is not BadHttpRequestException bad)
            return false;
        IResult result = bad switch
        {
            { StatusCode: StatusCodes.Status400BadRequest, InnerException: JsonException json } => FromJson(json, context.Request),
            { StatusCode: StatusCodes.Status400BadRequest } when HttpMethods.IsPost(context.Request.Method) => FieldErrors.Result("body", FromBody(bad, context.Request)),
            { StatusCode: StatusCodes.Status400BadRequest } => FromQuery(bad.Message),
            { StatusCode: StatusCodes.Status408RequestTimeout } => TypedResults.Problem(FormattableString.Invariant(
                $"The body did not come in time: it has to be there within {options.BodyTimeout.TotalSeconds} seconds, without long pauses."), statusCode: bad.StatusCode),
            { StatusCode: StatusCodes.Status413PayloadTooLarge } => TypedResults.Problem(
                FormattableString.Invariant($"The body is larger than {options.MaximumBody} bytes."), statusCode: bad.StatusCode),
            _ => TypedResults.Problem(bad.Message, statusCode: bad.StatusCode),
        };
        // What the client has not sent, or not yet, is not waited for.
        if (bad.StatusCode is StatusCodes.Status408RequestTimeout or StatusCodes.Status413PayloadTooLarge or StatusCodes.Status415UnsupportedMediaType)
            context.Response.Headers.Connection = "close";
        await result.ExecuteAsync(context);
        return true;
    }

    /// <summary>What is wrong with a body that holds no object: there is none, it is null, or it is not text.</summary>
    private static string FromBody(BadHttpRequestException bad, HttpRequest request) =>
        bad.InnerException is null && bad.Message.StartsWith("is not text", StringComparison.Ordinal) ? bad.Message
        : IsBlank(request) ? "is needed: a JSON object with the fields of this request."
        : "has to be a JSON object with the fields of this request; it is null.";

    private static bool IsBlank(HttpRequest request) => request.Body is not MemoryStream body || !body.ToArray().AsSpan().ContainsAnyExcept(" \t\r\n"u8);

    /// <summary>The serializer's message in the words of the API, which knows no .NET types.</summary>
    private static IResult FromJson(JsonException json, HttpRequest request)
    {
        if (IsBlank(request))
            return FieldErrors.Result("body", "is needed: a JSON object with the fields of this request.");
        if (json is FieldException known)
            return FieldErrors.Result(known.Name, known.Message);
        string field = json.Path is { Length: > 1 } path && path[0] == '$' ? path[1..].TrimStart('.') : "", message = json.Message;
        if (message.Contains("missing required properties", StringComparison.Ordinal))
        {
            string missing = message.Split('\'')[^2];
            return FieldErrors.Result(field.Length == 0 ? missing : $"{field}.{missing}", "is needed.");
        }
        if (message.StartsWith("Duplicate property '", StringComparison.Ordinal))
        {
            string twice = message.Split('\'')[1];
            // The path ends at the object or at the field in it, depending on how the field was read before.
            bool whole = field[(field.LastIndexOf('.') + 1)..].Equals(twice, StringComparison.OrdinalIgnoreCase);
            return FieldErrors.Result(whole ? field : field.Length == 0 ? twice : $"{field}.{twice}", "is given more than once.");
        }
        string problem = message.Contains("maximum configured depth", StringComparison.Ordinal) ? "is nested too deeply."
            : message.Contains(".NET member", StringComparison.Ordinal) ? "is not a field of this request; /openapi/v1.json has them all."
            : !message.Contains("could not be converted", StringComparison.Ordinal) ? $"is not valid JSON: {Sentence(message)}"
            : message.Contains("System.Single[][]", StringComparison.Ordinal) ? "has to be an array of arrays of numbers."
            : message.Contains("System.Single[]", StringComparison.Ordinal) ? "has to be an array of numbers."
            : message.Contains("System.Single", StringComparison.Ordinal) ? "has to be a number."
            : field.Length == 0 ? "has to be a JSON object with the fields of this request."
            : "has a value of another kind than this field takes; /openapi/v1.json says which.";
        return FieldErrors.Result(field.Length == 0 ? "body" : field, problem);
    }

    private static string Sentence(string message)
    {
        int end = message.IndexOf(" Path:", StringComparison.Ordinal);
        return end > 0 ? message[..end] : message;
    }

    // 'Failed to bind parameter "int count" from "x".' names type, parameter and value.
    private static IResult FromQuery(string message) => message.Split('"') is [_, var parameter, _, var value, ..] && parameter.Split(' ') is [var type, var name]
        ? FieldErrors.Result(name, $"has to be {(type switch { "int" => "a whole number", "float" => "a number", _ => "true or false" })}; it is '{value}'.")
        : FieldErrors.Result("body", message);
}
