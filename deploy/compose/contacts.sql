-- The contacts of examples/contacts.csv, in E.164.
create table contacts (name text not null, organisation text, responsible text, phone text not null);
create index on contacts (phone);
insert into contacts (name, organisation, responsible, phone) values
  ('Contact 1', 'Company A', '100', '+420731980361'),
  ('Contact 2', 'Company B', '101', '+420602956055'),
  ('Contact 3', 'Company C', '102', '+420602800791'),
  ('Contact 4', 'Company D', '103', '+420608610683'),
  ('Contact 5', 'Company E', '100', '+420602749928'),
  ('Contact 6', 'Company A', '101', '+421903938209'),
  ('Contact 7', 'Company B', '102', '+420777105838'),
  ('Contact 8', 'Company C', '103', '+420731038956'),
  ('Contact 9', 'Company D', '100', '+420775660143'),
  ('Contact 10', 'Company E', '101', '+420608633586'),
  ('Contact 11', 'Company A', '102', '+420604149817'),
  ('Contact 12', 'Company B', '103', '+420608765947'),
  ('Contact 13', 'Company C', '100', '+420602470035');
