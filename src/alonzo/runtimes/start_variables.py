"""Variables that a program reads once, before or while it starts: too late for one that is parked.

Each entry is the beginning of names, or a whole name with ``=``, and says who reads it. A function
that sets one of them is executed with it; all others are as good when they arrive later. The
entries are no shorter than they must be: ``LANGCHAIN_API_KEY`` and ``LD_SDK_KEY`` are nobody's
business. ``TZ`` is not among them: the bootstraps have the C library read it again.
"""

#: Read by the dynamic linker and the C library, whatever the language.
#: Source: ld.so(8), mallopt(3), locale(7), resolv.conf(5), host.conf(5), tzset(3).
C_LIBRARY = (
    "LD_AUDIT=",
    "LD_BIND_NO",
    "LD_DEBUG",
    "LD_DYNAMIC_WEAK=",
    "LD_HWCAP_MASK=",
    "LD_LIBRARY_PATH=",
    "LD_ORIGIN_PATH=",
    "LD_PRELOAD=",
    "LD_PREFER_MAP_32BIT_EXEC=",
    "LD_PROFILE",
    "LD_SHOW_AUXV=",
    "LD_USE_LOAD_BIAS=",
    "LD_VERBOSE=",
    "LD_WARN=",
    "GLIBC_TUNABLES=",  # allocator, threads, processor features
    "MALLOC_",  # the allocator, at its first use
    "LANG=",  # setlocale() at start, and whatever asks for the user's language once
    "LANGUAGE=",  # the same
    "LC_",  # the same
    "LOCPATH=",  # where it looks for locales
    "NLSPATH=",  # where it looks for message catalogues
    "GCONV_PATH=",  # character sets
    "TZDIR=",  # time zones: glibc looks again only when TZ itself changes
    "RES_OPTIONS=",  # the resolver, at its first use
    "LOCALDOMAIN=",  # the same
    "RESOLV_",  # the same
)

#: Read by OpenSSL when it is loaded.
OPENSSL = ("OPENSSL_",)
