using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace PackageCheck;

/// <summary>
/// Compares the public entry points of a library with the members that consumers refer to. An entry point is what a caller's code can
/// run: a public constructor, method, operator or accessor of a public type, as far as a person wrote it. Not counted are what the
/// compiler writes (accessors of properties that only store, so most options and results; members of records; the constructor of a
/// positional record), fields and members of enumerations, which run nothing, overrides (such as ToString), which are called through the
/// member that they override, and what deriving types alone can call.
/// </summary>
internal static class EntryPoints
{
    public static IReadOnlyList<string> Faults(string library, IReadOnlyList<string> consumers)
    {
        var called = new HashSet<string>(consumers.SelectMany(Called), StringComparer.Ordinal);
        var wanted = Declared(library);
        Console.WriteLine($"{Path.GetFileName(library)}: {wanted.Count} public entry points.");
        return wanted.Count == 0
            ? [$"{library} has no public entry points."]
            : [.. wanted.Except(called).Order(StringComparer.Ordinal).Select(member => $"No consumer calls {member}")];
    }

    private static HashSet<string> Declared(string file)
    {
        using var stream = File.OpenRead(file);
        using var image = new PEReader(stream);
        var metadata = image.GetMetadataReader();
        var names = new Names();
        var members = new HashSet<string>(StringComparer.Ordinal);
        foreach (var typeHandle in metadata.TypeDefinitions)
        {
            var type = metadata.GetTypeDefinition(typeHandle);
            // The compiler gathers extension members in nested types of unspeakable names; the members to call stand in the outer class.
            if (!IsVisible(metadata, type) || metadata.GetString(type.Name).StartsWith('<') || IsDelegate(metadata, type))
                continue;
            var methods = type.GetMethods().Select(metadata.GetMethodDefinition).ToArray();
            var deconstruct = methods.Where(method => metadata.GetString(method.Name) == "Deconstruct" && IsGenerated(metadata, method))
                .Select(method => method.DecodeSignature(names, null).ParameterTypes.Select(parameter => parameter.TrimEnd('&'))).ToArray();
            foreach (var method in methods)
            {
                var attributes = method.Attributes;
                string name = metadata.GetString(method.Name);
                bool overrides = (attributes & MethodAttributes.Virtual) != 0 && (attributes & MethodAttributes.NewSlot) == 0;
                if ((attributes & MethodAttributes.MemberAccessMask) != MethodAttributes.Public || overrides || name == ".cctor" || IsGenerated(metadata, method))
                    continue;
                var signature = method.DecodeSignature(names, null);
                if (name == ".ctor" && deconstruct.Any(parts => parts.SequenceEqual(signature.ParameterTypes, StringComparer.Ordinal)))
                    continue;
                members.Add(Names.Member(names.GetTypeFromDefinition(metadata, typeHandle, 0), name, signature));
            }
        }
        return members;
    }

    private static HashSet<string> Called(string file)
    {
        using var stream = File.OpenRead(file);
        using var image = new PEReader(stream);
        var metadata = image.GetMetadataReader();
        var names = new Names();
        var members = new HashSet<string>(StringComparer.Ordinal);
        // Calls of generic methods (MethodSpec) lead here too.
        foreach (var handle in metadata.MemberReferences)
        {
            var member = metadata.GetMemberReference(handle);
            if (member.GetKind() != MemberReferenceKind.Method)
                continue;
            string? parent = member.Parent.Kind switch
            {
                HandleKind.TypeReference => names.GetTypeFromReference(metadata, (TypeReferenceHandle)member.Parent, 0),
                HandleKind.TypeSpecification => names.GetTypeFromSpecification(metadata, null, (TypeSpecificationHandle)member.Parent, 0).Split('<')[0],
                _ => null,
            };
            if (parent is not null)
                members.Add(Names.Member(parent, metadata.GetString(member.Name), member.DecodeMethodSignature(names, null)));
        }
        return members;
    }

    private static bool IsVisible(MetadataReader metadata, TypeDefinition type) => (type.Attributes & TypeAttributes.VisibilityMask) switch
    {
        TypeAttributes.Public => true,
        TypeAttributes.NestedPublic => IsVisible(metadata, metadata.GetTypeDefinition(type.GetDeclaringType())),
        _ => false,
    };

    private static bool IsDelegate(MetadataReader metadata, TypeDefinition type) =>
        type.BaseType.Kind == HandleKind.TypeReference
        && metadata.GetString(metadata.GetTypeReference((TypeReferenceHandle)type.BaseType).Name) == nameof(MulticastDelegate);

    private static bool IsGenerated(MetadataReader metadata, MethodDefinition method) => method.GetCustomAttributes().Any(handle =>
    {
        var constructor = metadata.GetCustomAttribute(handle).Constructor;
        return constructor.Kind == HandleKind.MemberReference
            && metadata.GetMemberReference((MemberReferenceHandle)constructor).Parent is { Kind: HandleKind.TypeReference } parent
            && metadata.GetString(metadata.GetTypeReference((TypeReferenceHandle)parent).Name) == "CompilerGeneratedAttribute";
    });
}
