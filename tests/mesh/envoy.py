"""The configuration of an Envoy as the proxies of a mesh: mutual TLS outside, HTTP/2 without TLS inside."""

TYPE = "type.googleapis.com/envoy.extensions."
# Everything that Envoy can say of a certificate.
DETAILS = {"subject": True, "cert": True, "chain": True, "dns": True, "uri": True}


def tls(kind, name, folder, **more):
    certificate = {"certificate_chain": {"filename": f"{folder}/{name}.pem"}}
    return {
        "name": "tls",
        "typed_config": {
            "@type": f"{TYPE}transport_sockets.tls.v3.{kind}TlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2"],
                # Towards the next hop Envoy ends at 1.2 unless told otherwise.
                "tls_params": dict.fromkeys(
                    ("tls_minimum_protocol_version", "tls_maximum_protocol_version"), "TLSv1_3"
                ),
                "tls_certificates": [certificate | {"private_key": {"filename": f"{folder}/{name}.key"}}],
                "validation_context": {"trusted_ca": {"filename": f"{folder}/ca.pem"}},
            },
            **more,
        },
    }


def listener(name, address, cluster, secured=None, **hop):
    manager = {
        "@type": f"{TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "codec_type": "HTTP2",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}}],
                }
            ]
        },
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{TYPE}filters.http.router.v3.Router"}}],
        **hop,
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    return {
        "name": name,
        "address": address,
        "filter_chains": [chain | ({"transport_socket": secured} if secured else {})],
    }


def cluster(name, path, secured=None):
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    endpoint = {"endpoint": {"address": pipe(path)}}
    return {
        "name": name,
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {
            options: {
                "@type": f"type.googleapis.com/{options}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        **({"transport_socket": secured} if secured else {}),
    }


def pipe(path):
    return {"pipe": {"path": str(path)}}


def configuration(folder):
    """For `policy` and `audit`: a proxy before each, one before policy that keeps what callers say, and identity's."""
    listeners, clusters = [], []
    for service in ("policy", "audit"):
        clusters.append(cluster(service, f"{folder}/{service}.sock"))
        for suffix, mode in (("in", "SANITIZE_SET"), ("append", "APPEND_FORWARD")):
            listeners.append(
                listener(
                    f"{service}-{suffix}",
                    pipe(f"{folder}/{service}.{suffix}"),
                    service,
                    tls("Downstream", service, folder, require_client_certificate=True),
                    forward_client_cert_details=mode,
                    set_current_client_cert_details=DETAILS,
                )
            )
        as_identity = tls("Upstream", "identity", folder, sni=service)
        clusters.append(cluster(f"to-{service}", f"{folder}/{service}.in", as_identity))
        free = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
        listeners.append(listener(f"{service}-out", free, f"to-{service}"))
    return {
        "admin": {"address": pipe(f"{folder}/admin.sock")},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }
