package authres_test

import (
	"fmt"
	"log"

	"github.com/mailstead/mailstead/auth/authres"
)

func ExampleParse() {
	f, err := authres.Parse(`mx.example.org; spf=pass smtp.mailfrom=example.net; dkim=fail (body hash) header.d=example.com`)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range f.Statements {
		p := s.Properties[0]
		fmt.Printf("%s: %s %s.%s=%s\n", s.Method, s.Result, p.Type, p.Name, p.Value)
	}
	fmt.Println("ours:", authres.Claims("mx.example.org; none", "mx.example.org"))
	// Output:
	// spf: pass smtp.mailfrom=example.net
	// dkim: fail header.d=example.com
	// ours: true
}
