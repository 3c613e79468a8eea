# shellcheck shell=bash disable=SC2154
# keys.sh: certificates for the engine behind TLS, keys and configuration for ssh.

keys_create() {
	mkdir -p "$home/tls" "$home/ssh"
	tls_create
	ssh_create
}

tls_create() (
	cd "$home/tls" || die "no folder $home/tls"
	new=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30)
	"${new[@]}" -subj "/CN=lab CA" -keyout ca-key.pem -out ca.pem -addext keyUsage=critical,keyCertSign
	"${new[@]}" -subj "/CN=node2" -keyout server-key.pem -out server.pem -CA ca.pem -CAkey ca-key.pem \
		-addext "subjectAltName=IP:$(address node2)" -addext extendedKeyUsage=serverAuth -addext basicConstraints=CA:FALSE
	"${new[@]}" -subj "/CN=operator" -keyout key.pem -out cert.pem -CA ca.pem -CAkey ca-key.pem \
		-addext extendedKeyUsage=clientAuth -addext basicConstraints=CA:FALSE
) 2>/dev/null

ssh_create() {
	local n
	ssh-keygen -q -t ed25519 -N '' -C operator -f "$home/ssh/id"
	for ((n = 1; n <= max; n++)); do
		ssh-keygen -q -t ed25519 -N '' -C "node$n" -f "$home/ssh/host_node$n"
		echo "$(address "node$n") $(cut -d' ' -f1,2 "$home/ssh/host_node$n.pub")" >>"$home/ssh/known_hosts"
	done
	cat >"$home/ssh/sshd_config" <<-END
		Port 22
		AuthorizedKeysFile $home/ssh/id.pub
		# The state folder may well lie below a folder that others can write to.
		StrictModes no
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		UsePAM no
	END
	for ((n = 1; n <= max; n++)); do
		cat <<-END
			Host node$n
			    HostName $(address "node$n")
		END
	done >"$home/ssh_config"
	cat >>"$home/ssh_config" <<-END
		Host *
		    Port 22
		    User root
		    IdentityFile $home/ssh/id
		    IdentitiesOnly yes
		    UserKnownHostsFile $home/ssh/known_hosts
		    GlobalKnownHostsFile none
		    StrictHostKeyChecking yes
		    BatchMode yes
		    ConnectTimeout 5
		    LogLevel ERROR
	END
}
