package dtr

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFlagsWinOverTheirTwinsAndUnknownOnesAreRefused(t *testing.T) {
	all := commands()["remove"].options
	env := func(name string) (string, bool) {
		text, ok := map[string]string{"DTR_REPLICA_ID": "fromenv", "UCP_INSECURE_TLS": "1", "DTR_REMOVE_REPLICA_IDS": "x,y"}[name]
		return text, ok
	}
	got, err := parse(all, []string{"--existing-replica-id", "fromflag", "--debug"}, env)
	if err != nil || got["existing-replica-id"] != "fromflag" || got["replica-ids"] != "x,y" || !got.yes("ucp-insecure-tls") || !got.yes("debug") {
		t.Fatal(got, err)
	}
	for _, args := range [][]string{{"--prune"}, {"word"}, {"--replica-ids"}, {"--debug=maybe"}} {
		if _, err := parse(all, args, env); err == nil {
			t.Fatal(args, "is taken")
		}
	}
	if got, err := parse(commands()["emergency-repair"].options, []string{"--y"}, env); err != nil || !got.yes("yes") {
		t.Fatal(got, err)
	}
}

func TestReplicaIDsAreTheLastTwelveHexDigitsOfAName(t *testing.T) {
	for name, id := range map[string]string{"dtr-notary-server-000000000001": "000000000001", "dtr-api-a1640e1c15b6": "a1640e1c15b6",
		"dtr-phase2": "", "my-dtr-api-a1640e1c15b6": "", "dtr-api-A1640E1C15B6": ""} {
		if got := owner(name); got != id {
			t.Fatal(name, got)
		}
	}
}

func sample(t *testing.T, dir string) *state {
	t.Helper()
	cert, key, err := certificate("CA", nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &state{Cluster: "c", Replica: "a", Version: "2.6.4", Epoch: 3, Members: []string{"a", "b"},
		Settings: settings{CACert: cert, CAKey: key}, Tables: map[string][]json.RawMessage{"repositories": {json.RawMessage(`{"name":"web"}`)}}}
	if err := s.save(dir); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestABackupIsReadBackAndAPartOfItIsNot(t *testing.T) {
	dir := t.TempDir()
	sample(t, dir)
	os.WriteFile(filepath.Join(dir, "filler"), []byte("65M\n"), 0o600)
	var out bytes.Buffer
	if err := export(&out, dir); err != nil {
		t.Fatal(err)
	}
	if version, err := backupVersion(out.Bytes()[:512]); err != nil || version != "2.6.4" {
		t.Fatal(version, err)
	}
	head, err := tar.NewReader(bytes.NewReader(out.Bytes())).Next()
	if err != nil || head.Name != "dtr-backup-v2.6.4/" {
		t.Fatal(head, err)
	}
	s, filler, err := load(bytes.NewReader(out.Bytes()))
	if err != nil || filler != 65<<20 || s.Epoch != 3 || string(s.Tables["repositories"][0]) != `{"name":"web"}` || s.Settings.CAKey == "" {
		t.Fatal(err, filler, s)
	}
	for _, size := range []int{0, 4096, out.Len() / 2, out.Len() - 2048} {
		if _, _, err := load(bytes.NewReader(out.Bytes()[:size])); err == nil {
			t.Fatalf("%d bytes of %d are taken for a whole backup", size, out.Len())
		}
	}
}

func TestStateThatNoReplicaWroteIsCorrupt(t *testing.T) {
	for _, text := range []string{"", "garbage", "{}", `{"Cluster":"c","Replica":"a","Version":"2.6.4","Members":["b"]}`} {
		if _, err := parseState([]byte(text)); err == nil || !strings.Contains(err.Error(), "corrupt") {
			t.Fatal(text, err)
		}
	}
}

// ucp is a front of UCP with some containers and volumes; what would change anything is noted and refused.
type ucp struct {
	*httptest.Server
	containers, volumes []string
	changes             []string
}

func newUCP(t *testing.T) *ucp {
	u := &ucp{}
	u.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var reply any
		switch r.Method + " " + r.URL.Path {
		case "GET /_ping":
		case "POST /auth/login":
			var in struct{ Username, Password string }
			json.NewDecoder(r.Body).Decode(&in)
			if in.Password != "right" {
				w.WriteHeader(401)
				return
			}
			reply = map[string]string{"auth_token": "token"}
		case "GET /nodes":
			reply = []any{map[string]any{"Description": map[string]string{"Hostname": "node-1"}, "Status": map[string]string{"State": "ready", "Addr": "127.0.0.1"}}}
		case "GET /containers/json":
			list := []any{}
			for _, name := range u.containers {
				list = append(list, map[string]any{"Id": "i", "Names": []string{"/" + name}, "State": "exited",
					"Labels": map[string]string{"com.docker.dtr.version": "2.6.4"}})
			}
			reply = list
		case "GET /volumes":
			list := []any{}
			for _, name := range u.volumes {
				list = append(list, map[string]string{"Name": name})
			}
			reply = map[string]any{"Volumes": list}
		default:
			u.changes = append(u.changes, r.Method+" "+r.URL.Path)
			w.WriteHeader(500)
			return
		}
		if r.URL.Path != "/auth/login" && r.URL.Path != "/_ping" && r.Header.Get("Authorization") != "Bearer token" {
			w.WriteHeader(401)
			return
		}
		json.NewEncoder(w).Encode(reply)
	}))
	t.Cleanup(u.Close)
	return u
}

// try runs a command; gives what it failed with, "" if it did not.
func (u *ucp) try(command, stdin string, values given) (failure string) {
	var said bytes.Buffer
	defer func() {
		if recover() != nil {
			failure = said.String()
		}
	}()
	if _, ok := values["ucp-url"]; !ok {
		values["ucp-url"] = strings.TrimPrefix(u.URL, "https://")
	}
	if _, ok := values["ucp-ca"]; !ok {
		values["ucp-ca"] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: u.Certificate().Raw}))
	}
	if _, ok := values["ucp-password"]; !ok {
		values["ucp-password"] = "right"
	}
	values["ucp-username"] = "admin"
	c := commands()[command]
	s := &session{command: command, version: "2.6.4", given: values, options: c.options, prompts: !c.stdin,
		say: &log{&said, false, time.Now(), func(int) { panic("fatal") }}, in: bufio.NewReader(strings.NewReader(stdin)), out: io.Discard}
	if err := c.run(s); err != nil {
		return err.Error()
	}
	return ""
}

func TestWhatIsRefusedChangesNothing(t *testing.T) {
	here := []string{"node-1/dtr-rethinkdb-00000000000a"}
	volume := []string{"node-1/dtr-rethink-00000000000a"}
	other := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))
	for _, c := range []struct {
		command, stdin      string
		containers, volumes []string
		values              given
		want                string
	}{
		{"install", "", nil, nil, given{"ucp-password": "wrong"}, "invalid username or password"},
		{"install", "", nil, nil, given{"ucp-password": ""}, "unable to read the answer"},
		{"install", "", nil, nil, given{"ucp-ca": other}, "unable to use --ucp-ca"},
		{"install", "", nil, nil, given{"ucp-ca": ""}, "certificate"},
		{"install", "", here, nil, given{}, "DTR is installed already"},
		{"install", "", nil, nil, given{"ucp-node": "node-9"}, `no node \"node-9\"`},
		{"join", "", nil, nil, given{}, "no replica to join to"},
		{"join", "", here, nil, given{"existing-replica-id": "00000000000b"}, "was not found"},
		{"join", "\n", here, nil, given{"ucp-node": "node-1"}, "hosts replica 00000000000a already"},
		{"remove", "", here, nil, given{"existing-replica-id": "00000000000a", "replica-ids": "00000000000a"}, "use destroy"},
		{"remove", "", here, nil, given{"existing-replica-id": "00000000000a", "replica-ids": "00000000000b"}, "does not run"},
		{"remove", "", here, nil, given{"existing-replica-id": "00000000000a"}, "unable to read the answer"},
		{"backup", "", here, nil, given{"existing-replica-id": "00000000000a"}, "does not run"},
		{"emergency-repair", "", here, volume, given{"existing-replica-id": "00000000000a"}, "unable to read the answer"},
		{"emergency-repair", "n\n", here, volume, given{"existing-replica-id": "00000000000a"}, "not confirmed"},
		{"emergency-repair", "", here, nil, given{"existing-replica-id": "00000000000a", "yes": "true"}, "has no volume"},
		{"restore", "", nil, nil, given{}, "--dtr-use-default-storage"},
		{"restore", "", nil, nil, given{"dtr-use-default-storage": "true", "nfs-storage-url": "nfs://h/p"}, "cannot be used together"},
		{"restore", "", nil, nil, given{"dtr-use-default-storage": "true", "ucp-password": ""}, "missing required value"},
		{"restore", "", here, nil, given{"dtr-use-default-storage": "true"}, "destroy all replicas first"},
		{"restore", "", nil, volume, given{"dtr-use-default-storage": "true"}, "destroy all replicas first"},
		{"restore", "", nil, nil, given{"dtr-use-default-storage": "true"}, "unable to read the backup"},
		{"restore", strings.Repeat("x", 600), nil, nil, given{"dtr-use-default-storage": "true"}, "not a backup"},
		{"restore", "dtr-backup-v2.7.6/" + strings.Repeat("\x00", 600), nil, nil, given{"dtr-use-default-storage": "true"}, "of version 2.7.6"},
		{"upgrade", "", nil, nil, given{}, "not available here"},
	} {
		u := newUCP(t)
		u.containers, u.volumes = c.containers, c.volumes
		if got := u.try(c.command, c.stdin, c.values); !strings.Contains(got, c.want) || len(u.changes) > 0 {
			t.Errorf("%s %v: %q, wanted %q; changed: %v", c.command, c.values, got, c.want, u.changes)
		}
	}
}
