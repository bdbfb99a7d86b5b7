using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace DecoderService.Requests;

/// <summary>Rows of data in the OpenAPI document, which cannot be told from the type that reads them.</summary>
internal static class FeatureRowsSchema
{
    public static Task TransformAsync(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        if (context.JsonTypeInfo.Type == typeof(FeatureRows))
        {
            var number = new OpenApiSchema { Type = JsonSchemaType.Number, Format = "float" };
            schema.Type = JsonSchemaType.Array;
            schema.Items = new OpenApiSchema
            {
                OneOf =
                [
                    new OpenApiSchema { Type = JsonSchemaType.Array, Items = number, Description = "The numbers in the model's order." },
                    new OpenApiSchema { Type = JsonSchemaType.Object, AdditionalProperties = number, Description = "The numbers by their columns' names." },
                    new OpenApiSchema { Type = JsonSchemaType.String, Description = "An aligned sequence, for a model of sequences." },
                ],
            };
        }
        return Task.CompletedTask;
    }
}
