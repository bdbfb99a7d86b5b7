using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics;

namespace DecoderService.Requests;

/// <summary>Words what cannot even be read as a request (broken JSON, wrong types, unknown fields, a body too large) as problem details that name the field.</summary>
internal sealed class BadRequestHandler : IExceptionHandler
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
            { StatusCode: StatusCodes.Status400BadRequest, InnerException: JsonException json } => FromJson(json),
            { StatusCode: StatusCodes.Status400BadRequest } when context.Request.ContentLength is null or 0 && HttpMethods.IsPost(context.Request.Method) =>
                FieldErrors.Result("body", "is needed: a JSON object."),
            { StatusCode: StatusCodes.Status400BadRequest } => FromQuery(bad.Message),
            _ => TypedResults.Problem(bad.Message, statusCode: bad.StatusCode),
        };
        await result.ExecuteAsync(context);
        return true;
    }

    /// <summary>The serializer's message in the words of the API, which knows no .NET types.</summary>
    private static IResult FromJson(JsonException json)
    {
        string field = json.Path is { Length: > 1 } path && path[0] == '$' ? path[1..].TrimStart('.') : "", message = json.Message;
        if (message.Contains("missing required properties", StringComparison.Ordinal))
        {
            string missing = message.Split('\'')[^2];
            return FieldErrors.Result(field.Length == 0 ? missing : $"{field}.{missing}", "is needed.");
        }
        string problem = message.Contains(".NET member", StringComparison.Ordinal) ? "is not a field of this request; /openapi/v1.json has them all."
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
