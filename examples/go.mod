module github.com/mailstead/mailstead/examples

go 1.26

require (
	github.com/mailstead/mailstead v0.0.0
	github.com/mailstead/mailstead/store/sqlite v0.0.0
)

require github.com/pelletier/go-toml/v2 v2.4.3 // indirect

replace (
	github.com/mailstead/mailstead => ..
	github.com/mailstead/mailstead/store/sqlite => ../store/sqlite
)
