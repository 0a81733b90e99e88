package arguments

import (
	"fmt"
	"reflect"
)

// Convert makes a model's own options, a struct, of those that several models have:
// it takes the fields of the same name. One that is set and that the model does not
// have is an error that names it.
func Convert[Own, All any](all All) (own Own, err error) {
	from, to := reflect.ValueOf(all), reflect.ValueOf(&own).Elem()
	for i := range from.NumField() {
		name := from.Type().Field(i).Name
		if field := to.FieldByName(name); field.IsValid() {
			field.Set(from.Field(i))
		} else if !from.Field(i).IsZero() {
			return own, fmt.Errorf("%s is given, but the model has no such option", name)
		}
	}
	return own, nil
}
