"""Extensions: processes beside the runtime, and what registers from inside it."""
