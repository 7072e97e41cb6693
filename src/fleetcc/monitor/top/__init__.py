"""`fleetcc top`. Only `app` and `pane` need textual; what they show is made of plain rows by the others."""
