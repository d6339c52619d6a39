"""HTTP/1.1 over sockets: connections, their limits, requests and responses. Nothing of AWS."""
