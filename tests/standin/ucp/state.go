package ucp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"standin/internal/certs"
)

// state is what all nodes of one UCP share. Agents have it as a secret of the swarm; managers keep its parts in volumes, as in life.
type state struct {
	config
	Account account
	Cluster certs.Pair // signs nodes, and administrators' bundles
	Client  certs.Pair // signs the controllers' servers
}

// config is /config.json of the volume ucp-kv.
type config struct {
	ID      string
	Version string
	Token   string   // new with each installation and restore: stores with another token do not know each other
	First   string   // ID of the node whose stores begin with themselves
	Session string   // key of the sessions
	Port    string   // of the controllers
	SANs    []string // of the controllers' certificates
}

// account is /accounts.json of the volume ucp-auth-store-data.
type account struct{ Name, Salt, Hash string }

func random(bytes int) string {
	b := make([]byte, bytes)
	if _, err := rand.Read(b); err != nil {
		panic(err)
	}
	return hex.EncodeToString(b)
}

func hashed(salt, password string) string {
	sum := sha256.Sum256([]byte(salt + password))
	for i := 0; i < 5000; i++ {
		sum = sha256.Sum256(append(sum[:], salt...))
	}
	return hex.EncodeToString(sum[:])
}

func newAccount(name, password string) account {
	salt := random(8)
	return account{name, salt, hashed(salt, password)}
}

func toJSON(v any) []byte {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err)
	}
	return append(text, '\n')
}

// Volumes of a node by its role; true: on managers only.
var volumes = map[string]bool{
	"ucp-auth-api-certs": true, "ucp-auth-store-certs": true, "ucp-auth-store-data": true, "ucp-auth-worker-certs": true,
	"ucp-auth-worker-data": true, "ucp-client-root-ca": true, "ucp-cluster-root-ca": true, "ucp-controller-client-certs": true,
	"ucp-controller-server-certs": true, "ucp-kv": true, "ucp-kv-certs": true, "ucp-metrics-data": true, "ucp-metrics-inventory": true,
	"ucp-node-certs": false,
}

// seedFile is written last to a volume: with it, the volume is whole.
const seedFile = "ucp-volume.json"

// member is one of a store's.
type member struct{ Addr, Host string }

// membership of a store; the highest revision is the truth.
type membership struct {
	Token   string
	Rev     int
	Members map[string]member // by the ID of the node
}

// files are the contents of one volume of a node.
func (s *state) files(volume string, me self) (map[string][]byte, error) {
	files := map[string][]byte{}
	pair := func(p certs.Pair, ca string) {
		files["cert.pem"], files["key.pem"] = []byte(p.Cert), []byte(p.Key)
		if ca != "" {
			files["ca.pem"] = []byte(ca)
		}
	}
	alone := func() {
		if s.First == me.ID {
			files["members.json"] = toJSON(membership{s.Token, 1, map[string]member{me.ID: {me.Addr, me.Host}}})
		}
	}
	switch volume {
	case "ucp-cluster-root-ca":
		pair(s.Cluster, "")
	case "ucp-client-root-ca":
		pair(s.Client, "")
	case "ucp-controller-server-certs":
		p, err := s.Client.Issue("ucp-controller-server-certs", append([]string{me.Addr, me.Host, "localhost", "127.0.0.1"}, s.SANs...)...)
		if err != nil {
			return nil, err
		}
		pair(p, s.Client.Cert)
	case "ucp-kv":
		files["config.json"] = toJSON(s.config)
		for i := 0; i < 50; i++ {
			files[fmt.Sprintf("datav3/member/wal/%016x-%016x.wal", i, i*97)] = []byte(random(64))
		}
		alone()
	case "ucp-auth-store-data":
		files["accounts.json"] = toJSON(s.Account)
		for i := 0; i < 50; i++ {
			files[fmt.Sprintf("rethinkdb/%08x", i)] = []byte(random(64))
		}
		alone()
	case "ucp-metrics-inventory":
		files["inventory.json"] = []byte("[]\n")
	case "ucp-metrics-data", "ucp-auth-worker-data":
		files["data"] = []byte(random(64))
	default: // certificates of nodes
		p, err := s.Cluster.Issue(volume, nodeName, me.Addr, me.Host, "localhost", "127.0.0.1")
		if err != nil {
			return nil, err
		}
		pair(p, s.Cluster.Cert)
	}
	files[seedFile] = toJSON(map[string]string{"volume": volume, "version": s.Version})
	return files, nil
}

// nodeName is in the certificate of every node of the cluster: who has one is trusted, wherever it is.
const nodeName = "ucp-node"

// fromVolumes is the state that the volumes of one manager hold: files by "VOLUME/PATH".
func fromVolumes(files map[string][]byte) (*state, error) {
	s := &state{}
	read := func(name string, to any) error {
		text, ok := files[name]
		if !ok {
			return fmt.Errorf("%s is missing", name)
		}
		if err := json.Unmarshal(text, to); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	if err := read("ucp-kv/config.json", &s.config); err != nil {
		return nil, err
	}
	if err := read("ucp-auth-store-data/accounts.json", &s.Account); err != nil {
		return nil, err
	}
	s.Cluster = certs.Pair{Cert: string(files["ucp-cluster-root-ca/cert.pem"]), Key: string(files["ucp-cluster-root-ca/key.pem"])}
	s.Client = certs.Pair{Cert: string(files["ucp-client-root-ca/cert.pem"]), Key: string(files["ucp-client-root-ca/key.pem"])}
	if s.Cluster.Key == "" || s.Client.Key == "" {
		return nil, errors.New("the root CAs are missing")
	}
	return s, nil
}

// line is major.minor of a version.
func line(version string) string {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return version
	}
	return parts[0] + "." + parts[1]
}
