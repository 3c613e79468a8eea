package ucp

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"standin/internal/certs"
)

func none(string) (string, bool) { return "", false }

func TestAFlagWinsOverItsTwinAndUnknownOnesAreRefused(t *testing.T) {
	all := flags("-interactive", "host-address=UCP_HOST_ADDRESS", "san=UCP_HOSTNAMES")
	env := func(name string) (string, bool) { return "from-env", name != "" }
	given, err := parse(all, []string{"--host-address", "a", "--san=x", "--san", "y", "-i", "-D"}, env)
	if err != nil || given["host-address"][0] != "a" || strings.Join(given["san"], " ") != "x y" || given["interactive"][0] != "true" {
		t.Fatal(given, err)
	}
	for _, bad := range []string{"--force", "word", "--san"} {
		if _, err := parse(all, []string{bad}, none); err == nil {
			t.Error(bad, "is taken")
		}
	}
}

func TestABackupHoldsTheStateAndATornOneIsNone(t *testing.T) {
	s := &state{Account: newAccount("admin", "password")}
	s.ID, s.Version, s.Token, s.First = "id", "3.1.4", "token", "n1"
	s.Cluster, _ = certs.NewCA("cluster")
	s.Client, _ = certs.NewCA("client")
	files := map[string][]byte{}
	for volume := range volumes {
		some, err := s.files(volume, self{ID: "n1", Host: "one", Addr: "10.0.0.1"})
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range some {
			files[volume+"/"+name] = text
		}
	}
	var archive bytes.Buffer
	if err := pack(&archive, "./", files); err != nil {
		t.Fatal(err)
	}
	read, err := unpack(archive.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fromVolumes(read); err != nil || got.Account != s.Account || got.Cluster != s.Cluster || got.ID != "id" {
		t.Error(got, err)
	}
	if _, err := unpack(archive.Bytes()[:archive.Len()*2/3]); err == nil {
		t.Error("a torn archive is taken")
	}
	if got := scramble(scramble(archive.Bytes(), "x"), "x"); !bytes.Equal(got, archive.Bytes()) {
		t.Error("a passphrase does not give the archive back")
	}
}

func TestAStoreTakesNewerMembersOfItsOwnUCPOnly(t *testing.T) {
	s := &store{me: "a", dir: t.TempDir(), own: membership{Token: "t", Rev: 2}}
	if s.take(membership{Token: "other", Rev: 9}) || s.own.Rev != 2 {
		t.Error("of another UCP")
	}
	if !s.take(membership{Token: "t", Rev: 3, Members: map[string]member{"a": {}}}) || s.own.Rev != 3 {
		t.Error("newer")
	}
	if s.take(membership{Token: "t", Rev: 1}); s.own.Rev != 3 {
		t.Error("older")
	}
}

func TestAStoreNeedsAMajorityOfItsMembers(t *testing.T) {
	own := membership{Token: "t", Rev: 1, Members: map[string]member{"a": {"127.0.0.1", "a"}, "b": {"127.0.0.1", "b"}}}
	s := &store{me: "a", port: "1", client: http.DefaultClient, own: own}
	if err := s.health(); err == nil || !strings.Contains(err.Error(), "1 of 2 members answer, 2 are needed; silent: b") {
		t.Error(err)
	}
	delete(own.Members, "b")
	if err := s.health(); err != nil {
		t.Error(err)
	}
	if err := (&store{me: "c", own: own}).health(); err == nil {
		t.Error("not a member, and healthy")
	}
}

func TestASessionIsOfOneUCPAndOneUser(t *testing.T) {
	f, other := &front{config: config{Session: "one"}}, &front{config: config{Session: "two"}}
	token := f.token("admin")
	if f.user(token) != "admin" || other.user(token) != "" || f.user(token+"0") != "" || f.user("") != "" {
		t.Error(token)
	}
	w := httptest.NewRecorder()
	if f.ServeHTTP(w, httptest.NewRequest("GET", "/v1.40/nodes", nil)); w.Code != 401 {
		t.Error(w.Code)
	}
	w = httptest.NewRecorder()
	if f.ServeHTTP(w, httptest.NewRequest("HEAD", "/_ping", nil)); w.Code != 404 {
		t.Error(w.Code)
	}
}
