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
            { StatusCode: StatusCodes.Status400BadRequest, InnerException: JsonException json } => FieldErrors.Result(Field(json), Problem(json)),
            { StatusCode: StatusCodes.Status400BadRequest } when context.Request.ContentLength is null or 0 && HttpMethods.IsPost(context.Request.Method) =>
                FieldErrors.Result("body", "is needed: a JSON object."),
            { StatusCode: StatusCodes.Status400BadRequest } => FieldErrors.Result(Parameter(bad.Message), bad.Message),
            _ => TypedResults.Problem(bad.Message, statusCode: bad.StatusCode),
        };
        await result.ExecuteAsync(context);
        return true;
    }

    private static string Field(JsonException json) => json.Path is { Length: > 2 } path && path[0] == '$' ? path[1..].TrimStart('.') : "body";

    private static string Problem(JsonException json)
    {
        int end = json.Message.IndexOf(" Path:", StringComparison.Ordinal);
        return end > 0 ? json.Message[..end] : json.Message;
    }

    // 'Failed to bind parameter "int count" from "x".' names type and parameter.
    private static string Parameter(string message)
    {
        string[] parts = message.Split('"');
        return parts.Length > 1 ? parts[1].Split(' ')[^1] : "body";
    }
}
