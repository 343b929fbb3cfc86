package config_test

import (
	"fmt"

	"github.com/switchhook/switchhook/pkg/config"
)

func ExampleExchange_Decode() {
	c, err := config.Parse([]byte(`
tenants:
  - name: acme
    region: CZ
    exchanges:
      - vendor: xvb
        webhook:
          access_code: 10019
          acess_token: hunter2
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	var settings struct {
		Webhook struct {
			AccessCode  config.Secret `yaml:"access_code"`
			AccessToken config.Secret `yaml:"access_token"`
		} `yaml:"webhook"`
	}
	exchange := c.Tenants[0].Exchanges[0]
	fmt.Println(exchange.Origin())
	fmt.Println(exchange.Decode(&settings))
	fmt.Println(settings.Webhook.AccessCode, settings.Webhook.AccessCode.Reveal())
	// Output:
	// xvb/acme/xvb
	// line 9: tenants[0].exchanges[0].webhook: unknown key acess_token, did you mean access_token?
	// (secret) 10019
}
