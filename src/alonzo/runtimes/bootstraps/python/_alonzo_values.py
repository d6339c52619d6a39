"""What goes into a handler and what comes out: event, context, result, and named failures."""

import json
import os
import sys
import time


class Fault(Exception):
    """A failure with a name of its own in Lambda (``Runtime.…``); ``trace`` is its stack trace."""

    def __init__(self, kind, message, trace=None):
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = trace or []


# ------------------------------------------------------------------------------------------- JSON


class Encoder(json.JSONEncoder):
    """JSON as AWS writes it: decimals as numbers, bytes as text, NaN allowed.

    Since Python 3.12 other alphabets are written as they are. A decimal leaves here as a marked
    string, and its quotes and its mark are taken off at the end.
    """

    mark = None

    def __init__(self, ensure_ascii=sys.version_info < (3, 12)):
        super().__init__(ensure_ascii=ensure_ascii)
        # What the standard library makes anew for every document.
        self._open = {}
        self._chunks = json.encoder.c_make_encoder(
            self._open,
            self.default,
            json.encoder.encode_basestring_ascii
            if ensure_ascii
            else json.encoder.encode_basestring,
            None,
            self.key_separator,
            self.item_separator,
            False,
            False,
            True,
        )

    def default(self, o):
        if isinstance(o, bytes):
            return o.decode()
        decimal = sys.modules.get("decimal")
        if decimal is not None and isinstance(o, decimal.Decimal):
            if o.is_nan():
                return float("nan")
            if self.mark is None:
                self.mark = os.urandom(16).hex()
            return self.mark + str(o)
        return super().default(o)

    def encode(self, o):
        try:
            text = "".join(self._chunks(o, 0))
        finally:
            # An error leaves in here what it came from.
            self._open.clear()
        if self.mark is not None:
            import re

            text = re.sub('"' + self.mark + '([^"]*)"', r"\1", text)
        return text


def marshal(encoder, result):
    """A handler's result as bytes. Bytes are passed on as they are; so is what makes pieces."""
    if isinstance(result, bytes):
        return result
    try:
        try:
            text = encoder.encode(result)
        except TypeError:
            from _alonzo_streaming import is_stream

            if is_stream(result):
                return result
            # Keys of bytes are the one thing that AWS takes and the standard library refuses.
            from _alonzo_plain import plain

            text = encoder.encode(plain(result))
        else:
            if isinstance(result, (dict, list, tuple)) and has_named_tuple(result):
                from _alonzo_plain import plain

                text = encoder.encode(plain(result))
        return text.encode()
    except Exception as error:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % error) from None


#: Reads the JSON value that begins at a place of a text; answers it, and where it ends.
scan = json.JSONDecoder().scan_once

LEAVES = frozenset((str, int, float, bool, type(None)))


def has_named_tuple(root):
    """Whether a named tuple is inside: AWS writes it as an object, the standard library does not.

    ``root`` has been encoded before, so it has no cycle.
    """
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            node = node.values()
        elif isinstance(node, tuple) and hasattr(node, "_asdict"):
            return True
        elif not isinstance(node, (list, tuple)):
            continue
        for child in node:
            if type(child) not in LEAVES:
                stack.append(child)
    return False


def unmarshal(event):
    """The event document of a call."""
    try:
        text = str(event, "utf-8")
        # Blanks around it, and whatever is wrong with it, are for the way with more words.
        try:
            document, end = scan(text, 0)
            if end == len(text):
                return document
        except (StopIteration, ValueError):
            pass
        return json.loads(text)
    except Exception as error:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % error) from None


# ---------------------------------------------------------------------------------------- context


class CognitoIdentity:
    """Who called, where a mobile SDK said so."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, fields):
        self.cognito_identity_id = fields.get("cognitoIdentityId")
        self.cognito_identity_pool_id = fields.get("cognitoIdentityPoolId")

    def __repr__(self):
        return _show(self)


class Client:
    """The calling application."""

    __slots__ = (
        "installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"
    )  # fmt: skip

    def __init__(self, fields):
        for name in self.__slots__:
            setattr(self, name, fields.get(name))

    def __repr__(self):
        return _show(self)


class ClientContext:
    """What the caller sent along in ``X-Amz-Client-Context``."""

    __slots__ = ("custom", "env", "client")

    def __init__(self, fields):
        self.custom = fields.get("custom")
        self.env = fields.get("env")
        client = fields.get("client")
        self.client = None if client is None else Client(client)

    def __repr__(self):
        return _show(self)


def _show(value, names=None):
    pairs = ("%s=%s" % (name, getattr(value, name)) for name in names or value.__slots__)
    return "%s([%s])" % (type(value).__name__, ",".join(pairs))


class LambdaContext:
    """The second argument of a handler. Source: Lambda developer guide, Python context object."""

    log_group_name = None
    log_stream_name = None
    function_name = None
    memory_limit_in_mb = None
    function_version = None

    @classmethod
    def learn(cls, variables):
        """Take over what is the same for every call of the process."""
        cls.log_group_name = variables.get("AWS_LAMBDA_LOG_GROUP_NAME")
        cls.log_stream_name = variables.get("AWS_LAMBDA_LOG_STREAM_NAME")
        cls.function_name = variables.get("AWS_LAMBDA_FUNCTION_NAME")
        cls.memory_limit_in_mb = variables.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        cls.function_version = variables.get("AWS_LAMBDA_FUNCTION_VERSION")

    def __init__(self, header, log):
        self.aws_request_id = header["id"]
        self.invoked_function_arn = header["arn"]
        self.tenant_id = header.get("tenant")
        self._deadline_ms = header["deadline_ms"]
        self._log = log
        self._w3c = {}
        self.client_context = None
        if "client_context" in header:
            client_context = _parse(header["client_context"], "Client Context")
            if client_context is not None:
                self._w3c = _trace_context(client_context)
                self.client_context = ClientContext(client_context)
        self.identity = CognitoIdentity(_parse(header.get("cognito"), "Cognito Identity") or {})

    def get_remaining_time_in_millis(self):
        """Milliseconds until the function's timeout; 0 once it is past."""
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def w3c(self):
        """The W3C trace context that came with the call: the fields that are there."""
        return dict(self._w3c)

    def log(self, message):
        """Write one log event, unformatted."""
        self._log.write(str(message))

    def __repr__(self):
        return _show(self, (
            "aws_request_id", "log_group_name", "log_stream_name", "function_name",
            "memory_limit_in_mb", "function_version", "invoked_function_arn", "client_context",
            "identity", "tenant_id",
        ))  # fmt: skip


def _parse(text, what):
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise Fault(
            "Runtime.LambdaContextUnmarshalError", "Unable to parse %s JSON: %s" % (what, error)
        ) from None


def _trace_context(client_context):
    fields = client_context.pop("w3c", None)
    if not isinstance(fields, dict):
        return {}
    names = ("traceparent", "tracestate", "baggage")
    return {name: fields[name] for name in names if isinstance(fields.get(name), str)}
