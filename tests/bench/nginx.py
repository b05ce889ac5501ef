"""The two nginx of the benchmark: the peer that shows what is possible, and the upstream of whole answers."""

from pathlib import Path

from tests.bench import wire

_COMMON = """\
daemon off;
master_process on;
worker_processes 1;
error_log stderr error;
pid {prefix}/nginx.pid;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    tcp_nodelay on;
    client_body_temp_path {prefix}/body;
    proxy_temp_path {prefix}/proxy;
    fastcgi_temp_path {prefix}/fastcgi;
    uwsgi_temp_path {prefix}/uwsgi;
    scgi_temp_path {prefix}/scgi;
{body}
}}
"""

_WHOLE_ANSWERS = """\
    server {{
        listen 127.0.0.1:{port};
        default_type application/json;
        location / {{ return 200 '{answer}'; }}
    }}
"""

_PROXY = """\
    upstream whole {{ server 127.0.0.1:{whole}; keepalive 2048; keepalive_requests 1000000000; }}
    upstream streams {{ server 127.0.0.1:{streams}; keepalive 2048; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port};
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_read_timeout 3600s;
        location /plain/ {{ proxy_pass http://whole; }}
        location / {{ proxy_pass http://streams; proxy_buffering off; }}
    }}
"""


def whole_answers(prefix: Path, port: int) -> str:
    """An upstream that answers everything with one canned completion."""
    return _COMMON.format(prefix=prefix, body=_WHOLE_ANSWERS.format(port=port, answer=wire.completion("plain")))


def proxy(prefix: Path, port: int, whole: int, streams: int) -> str:
    """A reverse proxy that does nothing but forward."""
    return _COMMON.format(prefix=prefix, body=_PROXY.format(port=port, whole=whole, streams=streams))


def command(program: str, config: str, prefix: Path) -> list[str]:
    """Write the configuration below its own prefix and say how to start it."""
    prefix.mkdir(parents=True)
    path = prefix / "nginx.conf"
    path.write_text(config)
    return [program, "-p", str(prefix), "-c", str(path)]
