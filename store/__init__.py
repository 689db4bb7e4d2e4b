"""What is kept: tables, migrations, sealed secrets and files."""
