using System;
using System.IO;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Alonzo.Runtime
{
    /// <summary>One call, as the daemon sends it.</summary>
    internal sealed class Call
    {
        internal string Id;
        internal string Arn;
        internal long DeadlineMs;
        internal string Trace;
        internal string ClientContext;
        internal string Cognito;
        internal string Tenant;
        internal byte[] Event;
    }

    /// <summary>
    /// The frames to and from the daemon, over an inherited socket. See <c>runtimes/framing.py</c>.
    /// </summary>
    internal sealed class Channel
    {
        internal const byte Ready = 16;
        internal const byte Response = 17;
        internal const byte Error = 18;
        internal const byte InitError = 19;
        private const byte Invoke = 1;
        private const byte Config = 2;
        private const int Descriptor = 3;
        private const int PrefixBytes = 7;
        private const int BufferBytes = 1 << 16;

        private readonly FileStream input;
        private readonly FileStream output;
        private readonly byte[] prefix = new byte[PrefixBytes];

        internal Channel()
        {
            var handle = new SafeFileHandle(new IntPtr(Descriptor), false);
            input = new FileStream(handle, FileAccess.Read, BufferBytes, false);
            // Its buffer would hold back the end of a frame.
            output = new FileStream(handle, FileAccess.Write, 1, false);
        }

        /// <summary>The next call; null: the daemon has gone.</summary>
        internal Call Receive()
        {
            (byte[] head, byte[] body) = Receive(Invoke);
            if (body == null)
            {
                return null;
            }
            Call call = Read(head);
            call.Event = body;
            return call;
        }

        /// <summary>
        /// Wait for the restore of what has initialised; false: the daemon has gone. Its variables
        /// stay as they are.
        /// </summary>
        internal bool WaitForRestore()
        {
            return Receive(Config).Body != null;
        }

        private (byte[] Head, byte[] Body) Receive(byte kind)
        {
            if (!Fill(prefix))
            {
                return default;
            }
            int length = (prefix[0] << 24) | (prefix[1] << 16) | (prefix[2] << 8) | prefix[3];
            if (prefix[4] != kind)
            {
                throw new IOException("the daemon sent a frame of kind " + prefix[4]);
            }
            var head = new byte[(prefix[5] << 8) | prefix[6]];
            var body = new byte[length - 3 - head.Length];
            return Fill(head) && Fill(body) ? (head, body) : default;
        }

        /// <summary>Compile what receives a call.</summary>
        internal void Prepare()
        {
            RuntimeHelpers.PrepareDelegate(new Func<Call>(Receive));
            RuntimeHelpers.PrepareDelegate(new Func<byte, (byte[], byte[])>(Receive));
            RuntimeHelpers.PrepareDelegate(new Func<byte[], bool>(Fill));
            Read(Encoding.ASCII.GetBytes("{\"id\":\"\",\"deadline_ms\":1}"));
        }

        /// <summary>Whether everything came.</summary>
        private bool Fill(byte[] bytes)
        {
            for (int at = 0; at < bytes.Length;)
            {
                int got = input.Read(bytes, at, bytes.Length - at);
                if (got == 0)
                {
                    return false;
                }
                at += got;
            }
            return true;
        }

        private static Call Read(byte[] head)
        {
            var call = new Call();
            var reader = new Utf8JsonReader(head);
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString();
                reader.Read();
                switch (name)
                {
                    case "deadline_ms": call.DeadlineMs = reader.GetInt64(); break;
                    case "id": call.Id = reader.GetString(); break;
                    case "arn": call.Arn = reader.GetString(); break;
                    case "trace": call.Trace = reader.GetString(); break;
                    case "client_context": call.ClientContext = reader.GetString(); break;
                    case "cognito": call.Cognito = reader.GetString(); break;
                    case "tenant": call.Tenant = reader.GetString(); break;
                    default: reader.Skip(); break;
                }
            }
            return call;
        }

        /// <summary>Send a frame whose header has these members; one that is null is left out.</summary>
        internal void Send(byte kind, string id, string type, ReadOnlySpan<byte> body)
        {
            byte[] head = Head(id, type);
            var frame = new byte[PrefixBytes + head.Length + body.Length];
            int length = frame.Length - 4;
            frame[0] = (byte)(length >> 24);
            frame[1] = (byte)(length >> 16);
            frame[2] = (byte)(length >> 8);
            frame[3] = (byte)length;
            frame[4] = kind;
            frame[5] = (byte)(head.Length >> 8);
            frame[6] = (byte)head.Length;
            head.CopyTo(frame, PrefixBytes);
            body.CopyTo(new Span<byte>(frame, PrefixBytes + head.Length, body.Length));
            output.Write(frame, 0, frame.Length);
            output.Flush();
        }

        private static byte[] Head(string id, string type)
        {
            if (id == null && type == null)
            {
                return Array.Empty<byte>();
            }
            var text = new StringBuilder("{");
            if (id != null)
            {
                text.Append("\"id\":").Append(Json.Quoted(id)).Append(type == null ? "" : ",");
            }
            if (type != null)
            {
                text.Append("\"type\":").Append(Json.Quoted(type));
            }
            return Encoding.UTF8.GetBytes(text.Append('}').ToString());
        }
    }
}
