using System;
using System.Collections.Generic;
using System.Reflection;
using System.Threading.Tasks;

namespace Alonzo.Runtime
{
    /// <summary>
    /// Runs the hooks of a function that is restored after its init. It registers them with the
    /// package <c>Amazon.Lambda.Core</c> that it brings; older versions of that know none.
    /// </summary>
    internal sealed class Restore
    {
        private const string Registry = "Amazon.Lambda.Core.SnapshotRestore, Amazon.Lambda.Core";

        private readonly List<Func<ValueTask>> before;
        private readonly List<Func<ValueTask>> after;

        internal Restore()
        {
            Type registry = Type.GetType(Registry);
            before = Registered(registry, "CopyBeforeSnapshotCallbacksToRegistry");
            after = Registered(registry, "CopyAfterRestoreCallbacksToRegistry");
            before.Reverse();
        }

        /// <summary>Whether the process will be restored once it has initialised.</summary>
        internal static bool IsToCome =>
            Environment.GetEnvironmentVariable("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start";

        /// <summary>The type of the error of what ran last.</summary>
        internal string ErrorType { get; private set; }

        /// <summary>Run the hooks before a snapshot, the last one first; whether none failed.</summary>
        internal bool TryBefore(out Exception failed)
        {
            ErrorType = "Runtime.BeforeSnapshotError";
            bool done = TryRun(before, out failed);
            // It may stand for long, and takes as little of the host as it can.
            GC.Collect();
            return done;
        }

        /// <summary>Run the hooks after a restore, the first one first; whether none failed.</summary>
        internal bool TryAfter(out Exception failed)
        {
            ErrorType = "Runtime.AfterRestoreError";
            return TryRun(after, out failed);
        }

        private static bool TryRun(List<Func<ValueTask>> hooks, out Exception failed)
        {
            failed = null;
            try
            {
                hooks.ForEach(hook => hook().AsTask().GetAwaiter().GetResult());
            }
            catch (Exception error)
            {
                failed = error;
            }
            return failed == null;
        }

        private static List<Func<ValueTask>> Registered(Type registry, string copy)
        {
            var hooks = new List<Func<ValueTask>>();
            MethodInfo method = registry?.GetMethod(
                copy, BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public);
            method?.Invoke(null, new object[] { new Action<Func<ValueTask>>(hooks.Add) });
            return hooks;
        }
    }
}
