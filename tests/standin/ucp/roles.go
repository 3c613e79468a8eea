// Package ucp stands in for Universal Control Plane: the bootstrap image docker/ucp, which installs, saves, restores and removes it,
// the agent that a service of the swarm runs on every node, and the containers that the agent makes there. It knows the rules of
// the real one that a caller can run into; it decides by two stores on the managers, each with a majority of its own.
package ucp

import (
	"os"
	"os/signal"
	"syscall"
)

const (
	socket = "/var/run/docker.sock"

	kvPort, authPort, proxyPort = "12379", "12383", "12376"

	// Labels of all that belongs to UCP. The token is one for each installation and restore; the node is the one that it was made for.
	labelID, labelVersion    = "com.docker.ucp.InstanceID", "com.docker.ucp.version"
	labelToken, labelForNode = "com.docker.ucp.standin.token", "com.docker.ucp.standin.node"
)

// component is one container of a node.
type component struct {
	name    string
	manager bool     // on managers only
	host    bool     // on the network of the node; else on none
	binds   []string // volumes and the engine's socket
}

var components = []component{
	{"ucp-proxy", false, true, []string{socket + ":" + socket, "ucp-node-certs:/certs:ro"}},
	{"ucp-dsinfo", false, false, nil},
	{"ucp-kv", true, true, []string{"ucp-kv:/data", "ucp-kv-certs:/certs:ro"}},
	{"ucp-auth-store", true, true, []string{"ucp-auth-store-data:/data", "ucp-auth-store-certs:/certs:ro"}},
	{"ucp-auth-api", true, false, []string{"ucp-auth-api-certs:/certs:ro"}},
	{"ucp-auth-worker", true, false, []string{"ucp-auth-worker-certs:/certs:ro", "ucp-auth-worker-data:/data"}},
	{"ucp-client-root-ca", true, false, []string{"ucp-client-root-ca:/ca"}},
	{"ucp-cluster-root-ca", true, false, []string{"ucp-cluster-root-ca:/ca"}},
	{"ucp-swarm-manager", true, false, nil},
	{"ucp-metrics", true, false, []string{"ucp-metrics-data:/data", "ucp-metrics-inventory:/inventory"}},
	{"ucp-controller", true, true, []string{socket + ":" + socket, "ucp-controller-server-certs:/server:ro", "ucp-controller-client-certs:/client:ro",
		"ucp-cluster-root-ca:/cluster-ca:ro", "ucp-client-root-ca:/client-ca:ro", "ucp-kv:/kv:ro"}},
}

// Roles are the containers that this package can be, by the word after the program's name.
func Roles() map[string]func(args []string) int {
	roles := map[string]func([]string) int{
		"ucp": Bootstrap, "ucp-agent": Agent, "ucp-node-task": nodeTask,
	}
	for _, c := range components {
		roles[c.name] = idle
	}
	roles["ucp-proxy"], roles["ucp-controller"] = proxy, controller
	roles["ucp-kv"] = func([]string) int { return serveStore(kvPort) }
	roles["ucp-auth-store"] = func([]string) int { return serveStore(authPort) }
	return roles
}

// Version is that of the image: its build sets it.
func Version() string {
	if version := os.Getenv("UCP_VERSION"); version != "" {
		return version
	}
	return "3.1.4"
}

func image(name string) string { return "docker/" + name + ":" + Version() }

// images are all that a node needs.
func images() []string {
	list := []string{image("ucp"), image("ucp-agent")}
	for _, c := range components {
		list = append(list, image(c.name))
	}
	return list
}

// untilTold ends the program in good order at TERM: PID 1 of a container has no handler of its own.
func untilTold() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() { <-stop; os.Exit(0) }()
}

func idle([]string) int {
	untilTold()
	select {}
}
