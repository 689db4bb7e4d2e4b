"""The house rules: what keeps the rooms apart, the names plain and the documents true."""
