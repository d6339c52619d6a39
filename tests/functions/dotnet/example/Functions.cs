using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;
using Amazon.Lambda.Core;

namespace Example
{
    public class Order
    {
        public string Customer { get; set; }
        public decimal Total { get; set; }
    }

    public class Kinds
    {
        private int calls;

        public JsonElement Echo(JsonElement input) => input;

        public Stream Stream(Stream input) => input;

        public Stream Written(Stream input)
        {
            var output = new MemoryStream();
            input.CopyTo(output);
            return output;
        }

        public string Upper(string text) => text?.ToUpperInvariant();

        public int Count() => ++calls;

        public void Nothing(string text) { }

        public static string Static(ILambdaContext context) => context.FunctionName;

        public Order Double(Order order)
        {
            order.Total *= 2;
            return order;
        }

        public async Task<string> Later(string text)
        {
            await Task.Delay(5);
            return text + " later";
        }

        public async Task Wait(string text, ILambdaContext context) => await Task.Delay(5);

        [LambdaSerializer(typeof(Loud))]
        public string Loudly(string text) => text;

        [LambdaSerializer(typeof(Counted))]
        public string Counts(string text) => text;

        private string Private(string text) => "private " + text;

        public string Overloaded(string text) => "text";

        public string Overloaded(int number) => "number";
    }

    public class Derived : Kinds { }

    public class Loud : ILambdaSerializer
    {
        public T Deserialize<T>(Stream requestStream) => (T)(object)"loud";

        public void Serialize<T>(T response, Stream responseStream)
        {
            using (var writer = new StreamWriter(responseStream))
            {
                writer.Write("\"" + response + "!\"");
            }
        }
    }

    public class Counted : Shared.Serializer, ILambdaSerializer
    {
        private static int reads;

        T ILambdaSerializer.Deserialize<T>(Stream requestStream) => (T)(object)("read " + ++reads);
    }

    public class OutOfCheese : Exception
    {
        public OutOfCheese(string message, Exception inner) : base(message, inner) { }
    }

    public class Fails
    {
        public string Run(Dictionary<string, string> input)
        {
            switch (input["how"])
            {
                case "raise": return Check(input["message"]);
                case "exit": Environment.Exit(7); return null;
                case "large": throw new Exception(new string('x', 300_000));
                case "thread": new System.Threading.Thread(() => System.Threading.Thread.Sleep(-1)).Start(); return "left one";
                default: return "fine";
            }
        }

        private static string Check(string message)
        {
            try
            {
                throw new ArgumentException("the cause");
            }
            catch (ArgumentException cause)
            {
                throw new OutOfCheese(message, cause);
            }
        }

        public async Task<string> Later(string text)
        {
            await Task.Delay(1);
            throw new InvalidOperationException(text);
        }

        public Task Several(string text) =>
            throw new AggregateException(new Exception("one"), new Exception("two"));

        public async void AsyncVoid() => await Task.Delay(1);

        public T Generic<T>(T value) => value;

        public void Params(params string[] texts) { }

        public void Three(string one, string two, string three) { }

        public void TwoInputs(string one, string two) { }
    }

    public class Broken
    {
        public Broken() => throw new InvalidOperationException("no database");

        public void Handler() { }
    }

    public static class BrokenStatic
    {
        private static readonly int Number = int.Parse("none");

        public static int Handler() => Number;
    }

    public abstract class Unfinished
    {
        public void Handler() { }

        public abstract void Missing();
    }

    public class Surroundings
    {
        public Dictionary<string, object> Context(ILambdaContext context)
        {
            var logger = context.Logger;
            logger.LogWarning("a warning");
            logger.LogLine("a line");
            logger.Log("Error", new Exception("why"), "{what} failed", "all");
            logger.Log("raw");
            IClientContext sent = context.ClientContext;
            return new Dictionary<string, object>
            {
                ["id"] = context.AwsRequestId,
                ["name"] = context.FunctionName,
                ["version"] = context.FunctionVersion,
                ["arn"] = context.InvokedFunctionArn,
                ["group"] = context.LogGroupName,
                ["stream"] = context.LogStreamName,
                ["memory"] = context.MemoryLimitInMB,
                ["remaining"] = context.RemainingTime.TotalMilliseconds,
                ["trace"] = context.TraceId,
                ["variable"] = Environment.GetEnvironmentVariable("_X_AMZN_TRACE_ID"),
                ["tenant"] = context.TenantId,
                ["future"] = context.OfTheFuture,
                ["serializer"] = context.Serializer?.GetType().Name,
                ["identity"] = context.Identity.IdentityId,
                ["title"] = sent?.Client?.AppTitle,
                ["custom"] = sent?.Custom,
            };
        }

        public long Heap()
        {
            // By name: a program for every version may not name the type.
            object info = typeof(GC).GetMethod("GetGCMemoryInfo", Type.EmptyTypes).Invoke(null, null);
            object bytes = info.GetType().GetProperty("TotalAvailableMemoryBytes").GetValue(info);
            return (long)bytes >> 20;
        }

        public string Prints(string text)
        {
            Console.WriteLine("plain: ö");
            Console.WriteLine(5);
            Console.WriteLine("{0} and {1}", 1, 2);
            Console.Error.WriteLine("to errors");
            Console.Write("unfinished");
            LambdaLogger.Log("two\nlines");
            LambdaLogger.Log("Warning", "{count} of {kind}", 3, "cheese");
            LambdaLogger.Log("Debug", "not shown");
            return "printed";
        }
    }

    /// <summary>A function with SnapStart.</summary>
    public class Restored
    {
        private readonly string id = Guid.NewGuid().ToString();
        private readonly List<string> order = new List<string>();

        public Restored()
        {
            Console.WriteLine("initialised " + id);
            foreach (string name in new[] { "1", "2" })
            {
                SnapshotRestore.RegisterBeforeSnapshot(() => Called("before " + name));
                SnapshotRestore.RegisterAfterRestore(() => Called("after " + name));
            }
        }

        private async ValueTask Called(string what)
        {
            await Task.Yield();
            order.Add(what);
            if (what == Environment.GetEnvironmentVariable("FAILS"))
            {
                throw new InvalidOperationException(what + " was told to fail");
            }
        }

        public Dictionary<string, object> Handler(JsonElement input) =>
            new Dictionary<string, object> { ["id"] = id, ["order"] = order };
    }
}
