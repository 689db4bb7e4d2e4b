"""The e-mail bulletin: one letter to each subscriber over SMTP, signed, with one-click unsubscription; returned letters read back."""
