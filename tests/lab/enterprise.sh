# shellcheck shell=bash disable=SC2154
# enterprise.sh: the stand-ins for UCP and DTR on the lab's engines, by the docker client alone.

dtr_versions=(2.6.4 2.7.6)
ucp_versions=(3.1.4 3.2.5)
ucp_password=lab-password

cmd_enterprise() {
	local what=${1:-}
	[[ -n $what ]] && declare -F "enterprise_$what" >/dev/null || die "enterprise: what? ucp, front, dtr or images"
	shift
	nodes >/dev/null
	standin_load
	"enterprise_$what" "$@"
}

# ---- images

standin_load() {
	local node loads=()
	"$here/../standin/build" "$home/standin" || die "the stand-ins cannot be built"
	for node in $(nodes); do
		machine_up "$node" || continue
		standin_import "$node" &
		loads+=($!)
	done
	for node in "${loads[@]}"; do wait "$node" || die "an engine does not take the images of the stand-ins"; done
}

standin_import() {
	local version name
	engine "$1" image inspect docker/ucp-front >/dev/null 2>&1 ||
		engine "$1" import -c 'ENTRYPOINT ["/standin", "ucp-front"]' "$home/standin/standin.tar" docker/ucp-front >/dev/null
	for version in "${ucp_versions[@]}"; do
		! engine "$1" image inspect "docker/ucp:$version" >/dev/null 2>&1 || continue
		engine "$1" import -c 'ENTRYPOINT ["/standin", "ucp"]' -c "ENV UCP_VERSION=$version" \
			"$home/standin/standin.tar" "docker/ucp:$version" >/dev/null
		for name in $(UCP_VERSION=$version "$home/standin/standin" ucp images); do
			[[ $name = "docker/ucp:$version" ]] || engine "$1" tag "docker/ucp:$version" "$name"
		done
	done
	for version in "${dtr_versions[@]}"; do
		! engine "$1" image inspect "docker/dtr:$version" >/dev/null 2>&1 || continue
		engine "$1" import -c 'ENTRYPOINT ["/standin", "dtr"]' -c "ENV DTR_VERSION=$version" \
			"$home/standin/standin.tar" "docker/dtr:$version" >/dev/null
		for name in $(DTR_VERSION=$version "$home/standin/standin" dtr images); do
			[[ $name = "docker/dtr:$version" ]] || engine "$1" tag "docker/dtr:$version" "$name"
		done
	done
}

# Only the images, on machines that are new.
enterprise_images() { :; }

# ---- the site

# site_says KEY TEXT: the site's one line for the key.
site_says() {
	sed -i "/^$1:/d" "$home/site.yaml"
	echo "$1: $2" >>"$home/site.yaml"
}

# ucp_is URL CA: where UCP is from now on; the administrator is admin, with the lab's password.
ucp_is() {
	mkdir -p "$home/ucp"
	echo "$1" >"$home/ucp/url"
	[[ $2 -ef $home/ucp/ca.pem ]] || cp "$2" "$home/ucp/ca.pem"
	(umask 077 && echo "$ucp_password" >"$home/ucp/password")
	site_says ucp "{ url: \"$1\", username: admin, password: { from: [\"file:ucp/password\"] }, ca: ucp/ca.pem }"
}

# ---- UCP's front alone: enough for DTR, and without a quorum to lose

enterprise_front() {
	local at
	at=$(address node1)
	mkdir -p "$home/front"
	(
		cd "$home/front" || die "no folder $home/front"
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=ucp" -keyout key.pem -out cert.pem \
			-CA "$home/tls/ca.pem" -CAkey "$home/tls/ca-key.pem" -addext "subjectAltName=IP:$at" \
			-addext extendedKeyUsage=serverAuth -addext basicConstraints=CA:FALSE
	) 2>/dev/null
	engine node1 rm -f ucp-front >/dev/null 2>&1 || true
	engine node1 run -d --name ucp-front --network host --restart always -e PASSWORD="$ucp_password" \
		-v "$home:/lab" -v "$home/front:/certs" docker/ucp-front >/dev/null
	within 20 curl -sf --cacert "$home/tls/ca.pem" "https://$at/_ping" || die "the front of UCP does not answer: $(engine node1 logs ucp-front 2>&1)"
	ucp_is "https://$at" "$home/tls/ca.pem"
}

# ---- UCP on the whole swarm

# A password that no shell, URL or JSON may be careless with.
# shellcheck disable=SC2016
ucp_odd_password='orca-Pa55 word "$x%41\&+é'

ucp_tool() {
	local node=$1 version=$2
	shift 2
	docker -H "unix://$(socket "$node")" run --rm -i --log-driver none --name ucp -v /var/run/docker.sock:/var/run/docker.sock "docker/ucp:$version" "$@"
}

ucp_answers() { [[ $(curl -sk -m 5 -o /dev/null -w '%{http_code}' "https://$(address "$1")/_ping") = 200 ]]; }

# ucp_managers NODE: the names of the swarm's managers.
ucp_managers() { engine "$1" node ls --filter role=manager --format '{{.Hostname}}'; }

# enterprise_ucp [--version V] [--node NODE]: installed from that node, healthy on every manager.
enterprise_ucp() {
	local version=${ucp_versions[0]} from=node1 said node
	while (($#)); do
		case $1 in
		--version) version=${2:-} ;;
		--node) from=${2:-} ;;
		*) die "enterprise ucp: unknown option '$1'" ;;
		esac
		shift 2 || die "enterprise ucp: $1 takes a value"
	done
	[[ " ${ucp_versions[*]} " = *" $version "* ]] || die "enterprise ucp: no version '$version'; there are: ${ucp_versions[*]}"
	nodes "$from" >/dev/null
	said=$(ucp_tool "$from" "$version" install --host-address "$(address "$from")" --admin-username admin \
		--admin-password "$ucp_odd_password" </dev/null 2>&1) || die "$from: $said"
	for node in $(ucp_managers "$from"); do
		within 90 ucp_answers "$node" || die "UCP does not become healthy on $node: $(engine "$node" ps -a 2>&1)"
	done
	ucp_password=$ucp_odd_password
	curl -sfk "https://$(address "$from")/ca" -o "$home/ucp-ca.pem" || die "UCP does not tell its CA"
	ucp_is "https://$(address "$from"):443" "$home/ucp-ca.pem"
}

# ---- DTR

dtr_id() { printf '%012x' "${1#node}"; }

# dtr NODE COMMAND OPTION...: DTR's tool on a node; the newest version that the test wants is in DTR_VERSION.
cmd_dtr() {
	local node=$1
	shift
	[[ -s $home/ucp/url ]] || die "dtr: there is no UCP; 'lab enterprise front' or 'lab enterprise ucp' makes one"
	UCP_URL=$(<"$home/ucp/url") UCP_USERNAME=admin UCP_PASSWORD=${UCP_PASSWORD-$(<"$home/ucp/password")} UCP_CA=$(<"$home/ucp/ca.pem") \
		docker -H "unix://$(socket "$node")" run -i --rm --log-driver none -e UCP_URL -e UCP_USERNAME -e UCP_PASSWORD -e UCP_CA \
		"docker/dtr:${DTR_VERSION:-${dtr_versions[0]}}" "$@"
}

# enterprise_dtr NODE...: the first gets the first replica, the others join it. A replica's ID is its node's number.
enterprise_dtr() {
	local first=${1:-} node id said
	[[ -n $first ]] || die "enterprise dtr: which nodes?"
	nodes "$@" >/dev/null
	for node; do
		id=$(dtr_id "$node")
		if [[ $node = "$first" ]]; then set -- install; else set -- join --existing-replica-id "$(dtr_id "$first")"; fi
		said=$(cmd_dtr "$node" "$@" --ucp-node "$node" --replica-id "$id" </dev/null 2>&1) || die "$node: $said"
	done
	curl -sfk "https://$(address "$first")/ca" -o "$home/dtr-ca.pem" || die "DTR does not tell its CA"
	site_says dtr "{ url: \"https://$(address "$first")\", ca: dtr-ca.pem }"
}

# lab corrupt NODE...: damages the data of the replica on the node; its database dies of it.
cmd_corrupt() {
	local node folder some
	for node; do
		some=
		for folder in "$home/$node"/data/volumes/dtr-rethink-*/_data; do
			[[ -d $folder ]] || continue
			some=yes
			head -c 4096 /dev/zero | tr '\0' '#' >"$folder/state.json"
		done
		[[ -n $some ]] || die "corrupt: $node has no replica of DTR"
	done
}

# lab settle NODE...: until the containers that were to come up with the engine have. An engine that was away for long sometimes
# fails to attach one to its overlay network ("context deadline exceeded") and never tries again: then an operator must start it.
cmd_settle() {
	local node
	for node; do within 90 settled "$node" || die "settle: $node: $(unsettled "$node" | xargs)"; done
}

# Those that died with the machine, or could not be started; not those that somebody stopped.
unsettled() {
	engine "$1" ps -aq --filter status=exited --filter status=created --filter name=dtr- --filter name=ucp- |
		xargs -r docker -H "unix://$(socket "$1")" inspect --format \
			'{{if ne .HostConfig.RestartPolicy.Name "no"}}{{if or .State.Error (eq .State.ExitCode 255)}}{{.Name}} {{.State.Error}}{{end}}{{end}}' | grep . || true
}

settled() {
	local name why left
	left=$(unsettled "$1")
	while read -r name why; do
		[[ -z $why ]] || engine "$1" start "${name#/}" || true
	done <<<"$left"
	[[ -z $left ]]
}

# ---- faults

# lab fault NODE COMMAND [FAULT]: what COMMAND of a bootstrap that runs on the node does wrong from now on; without FAULT, nothing.
cmd_fault() {
	local node=$1 command=${2:-} fault=${3:-} folder
	[[ $command =~ ^[a-z-]+$ ]] || die "fault: of which command?"
	[[ $fault =~ ^(|fail-before|fail-after|hang|corrupt|slow=[0-9]+)$ ]] || die "fault: '$fault' is none: fail-before, fail-after, hang, corrupt, slow=SECONDS"
	engine "$node" volume create standin-faults >/dev/null
	folder=$home/$node/data/volumes/standin-faults/_data
	if [[ -n $fault ]]; then echo "$fault" >"$folder/$command"; else rm -f "$folder/$command"; fi
}
