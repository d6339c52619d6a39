// A program of its own that speaks to the Runtime API, as AWS's client for .NET does in a package.
using System;
using System.Linq;
using System.Net.Http;
using System.Threading.Tasks;

public static class Program
{
    public static async Task Main(string[] arguments)
    {
        string host = Environment.GetEnvironmentVariable("AWS_LAMBDA_RUNTIME_API");
        string runtime = "http://" + host + "/2018-06-01/runtime/";
        string calls = runtime + "invocation/";
        using (var client = new HttpClient())
        {
            client.Timeout = TimeSpan.FromHours(12);
            if (Environment.GetEnvironmentVariable("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start")
            {
                Console.WriteLine("initialised");
                await client.GetAsync(runtime + "restore/next");
                Console.WriteLine("restored");
                if (Environment.GetEnvironmentVariable("FAILS") != null)
                {
                    var error = new StringContent("{\"errorType\":\"Runtime.AfterRestoreError\"}");
                    await client.PostAsync(runtime + "restore/error", error);
                    return;
                }
            }
            while (true)
            {
                HttpResponseMessage next = await client.GetAsync(calls + "next");
                string id = next.Headers.GetValues("Lambda-Runtime-Aws-Request-Id").First();
                string input = await next.Content.ReadAsStringAsync();
                Console.WriteLine("called");
                string answer = "{\"input\":" + input + ",\"request\":\"" + id + "\"}";
                await client.PostAsync(calls + id + "/response", new StringContent(answer));
            }
        }
    }
}
