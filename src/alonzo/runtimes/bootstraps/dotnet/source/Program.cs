using System;
using System.IO;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Alonzo.Runtime
{
    /// <summary>
    /// Runs a .NET handler: calls arrive as frames on descriptor 3, results leave the same way. The
    /// behaviour is that of AWS's own client, down to the texts of its errors.
    /// </summary>
    internal static class Program
    {
        private const string TraceVariable = "_X_AMZN_TRACE_ID";

        /// <summary>Initialise, then serve calls until the daemon goes.</summary>
        private static int Main()
        {
            var channel = new Channel();
            Log log = Log.Open();
            Handler handler;
            try
            {
                LimitHeap();
                handler = Loader.Load(Environment.GetEnvironmentVariable("_HANDLER") ?? "");
            }
            catch (Exception error)
            {
                return Fail(channel, log, error, error.GetType().Name);
            }
            Prepare(channel, handler);
            if (Restore.IsToCome)
            {
                var restore = new Restore();
                if (restore.TryBefore(out Exception failed))
                {
                    channel.Send(Channel.Ready, null, null, default);
                    if (!channel.WaitForRestore())
                    {
                        Environment.Exit(0);
                        return 0;
                    }
                    restore.TryAfter(out failed);
                }
                if (failed != null)
                {
                    return Fail(channel, log, failed, restore.ErrorType);
                }
            }
            channel.Send(Channel.Ready, null, null, default);
            for (Call call = channel.Receive(); call != null; call = channel.Receive())
            {
                Answer(channel, log, handler, call);
            }
            Environment.Exit(0);
            return 0;
        }

        /// <summary>Tell the daemon why there will be no calls, and end the process.</summary>
        private static int Fail(Channel channel, Log log, Exception error, string type)
        {
            log.Write(Level.Error, Faults.Report(error));
            channel.Send(Channel.InitError, null, type, Faults.Document(error));
            // Not return: threads of the broken class would keep the process.
            Environment.Exit(1);
            return 1;
        }

        /// <summary>
        /// The heap ends where the function's memory ends, unless it is smaller already. Only from
        /// .NET 8 on can a process be told so once it runs.
        /// </summary>
        private static void LimitHeap()
        {
            string size = Environment.GetEnvironmentVariable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
            MethodInfo refresh = typeof(GC).GetMethod("RefreshMemoryLimit", Type.EmptyTypes);
            if (refresh == null || !ulong.TryParse(size, out ulong mib))
            {
                return;
            }
            ulong bytes = mib << 20;
            object now = typeof(GC).GetMethod("GetGCMemoryInfo", Type.EmptyTypes).Invoke(null, null);
            object there = now.GetType().GetProperty("TotalAvailableMemoryBytes").GetValue(now);
            if (Convert.ToUInt64(there) > bytes)
            {
                AppDomain.CurrentDomain.SetData("GCHeapHardLimit", bytes);
                try
                {
                    refresh.Invoke(null, BindingFlags.DoNotWrapExceptions, null, null, null);
                }
                catch (InvalidOperationException)
                {
                    // More is in use than the function may have: its sandbox will end it.
                }
            }
        }

        /// <summary>
        /// Compile what every call needs: init has the whole of a processor, a call its share.
        /// </summary>
        private static void Prepare(Channel channel, Handler handler)
        {
            RuntimeHelpers.PrepareDelegate(new Action<Channel, Log, Handler, Call>(Answer));
            channel.Prepare();
            handler.Prepare();
        }

        /// <summary>A result. Serializers close what they have written to.</summary>
        private sealed class Output : MemoryStream
        {
            protected override void Dispose(bool disposing)
            {
            }
        }

        private static void Answer(Channel channel, Log log, Handler handler, Call call)
        {
            Environment.SetEnvironmentVariable(TraceVariable, call.Trace);
            log.Entered(call);
            var output = new Output();
            try
            {
                handler.Run(call, log, output);
            }
            catch (Exception error)
            {
                log.Write(Level.Error, Faults.Report(error));
                byte[] document = Faults.Document(error);
                channel.Send(Channel.Error, call.Id, error.GetType().Name, document);
                return;
            }
            var result = new ReadOnlySpan<byte>(output.GetBuffer(), 0, (int)output.Length);
            channel.Send(Channel.Response, call.Id, null, result);
        }
    }
}
