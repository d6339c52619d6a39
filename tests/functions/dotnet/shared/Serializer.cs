using System;
using System.IO;
using System.Text.Json;
using Amazon.Lambda.Core;

[assembly: LambdaSerializer(typeof(Shared.Serializer))]

namespace Shared
{
    public class Serializer : ILambdaSerializer
    {
        private static readonly JsonSerializerOptions Options = new JsonSerializerOptions
        {
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            PropertyNameCaseInsensitive = true,
        };

        public T Deserialize<T>(Stream requestStream)
        {
            using (var bytes = new MemoryStream())
            {
                requestStream.CopyTo(bytes);
                return JsonSerializer.Deserialize<T>(bytes.ToArray(), Options);
            }
        }

        public void Serialize<T>(T response, Stream responseStream)
        {
            using (var writer = new Utf8JsonWriter(responseStream))
            {
                JsonSerializer.Serialize(writer, response, Options);
            }
        }
    }
}
