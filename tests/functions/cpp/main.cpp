// Functions on AWS's client for C++; the handler's name says which.
#include <aws/lambda-runtime/runtime.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <unistd.h>

using namespace aws::lambda_runtime;

// Some copies of the client take a document for X-Ray as well.
template <class R>
static auto failure(int) -> decltype(R::failure("", ""))
{
    return R::failure("redo from start", "OutOfCheese");
}

template <class R>
static auto failure(long) -> decltype(R::failure("", "", ""))
{
    return R::failure("redo from start", "OutOfCheese", "");
}

static invocation_response handle(invocation_request const& request)
{
    std::string const name = std::getenv("_HANDLER");
    if (name == "fail") {
        return failure<invocation_response>(0);
    }
    if (name == "sleep") {
        sleep(60);
    }
    std::cout << "hello from C++" << std::endl;
    return invocation_response::success(
        "{\"hello\":" + request.payload + ",\"id\":\"" + request.request_id + "\",\"arn\":\"" +
            request.function_arn + "\"}",
        "application/json");
}

int main()
{
    run_handler(handle);
    return 0;
}
